"""Writes `docs/checks.md` from the catalogue: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestration.checks.catalogue import CHECKS
from orchestration.checks.check_info import QUESTIONS, CheckInfo

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "checks.md"
_HEAD: Final = """\
# Checks

Made from `orchestration/checks/catalogue.py` by `make docs`. Each check is an asset check in Dagster: its result is on
the asset's *Checks* tab, with the figures, a table and a plot that explain the verdict. A failed check becomes a
message; dbt's tests are asset checks as well, and dbt's own pages describe them.

Every result says its `group`, `window`, `detector`, `sample_size`, `observed`, `expected`, `ratio`, `offending` (a
table), `offending_items`, `chart` (JSON: `times`, `observed`, `expected`, `upper`) with `plot` (the same as text), and
`runbook`. `held_back` is empty, or says which check upstream explains what is out of the ordinary: nobody is alerted
about sales while events are late, lost or refused.
"""


def render() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for group, question in QUESTIONS.items():
        members = [check for check in CHECKS if check.group == group]
        if members:
            yield f"## {question}\n"
            yield from map(_section, members)


def _section(check: CheckInfo) -> str:
    settings = ", ".join(f"`{name}`" for name in check.settings) or "none"
    return (
        f"### {check.name}\n\n"
        f"{check.fails_when}\n\n"
        f"On `{check.asset}`, {check.runs}. Settings: {settings}. "
        f"[What to do](runbooks/{check.name}.md).\n"
    )


if __name__ == "__main__":
    PAGE.write_text(render())
