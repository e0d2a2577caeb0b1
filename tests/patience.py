"""How long a test waits before it says that something does not happen: far longer than it takes on a slow machine.

A test that waits for what must happen polls and goes on at once, so a long patience costs a passing test nothing.
"""

from __future__ import annotations

from typing import Final

WAIT_SECONDS: Final = 300.0
PROGRAM_SECONDS: Final = 1200.0
