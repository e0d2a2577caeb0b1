"""What others learn of a stack that runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from contracts.settings import Settings
from local.launch import as_running


def test_a_command_beside_a_running_stack_uses_its_broker_and_topic(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, millrace_home=tmp_path)
    assert as_running(settings) == settings
    chosen = {"kafka_broker_url": "127.0.0.1:40123", "kafka_topic": "clickstream_topic-20260101120000"}
    with subprocess.Popen([sys.executable, "-c", "input()", "millrace"], stdin=subprocess.PIPE) as stack:
        (tmp_path / "stack.json").write_text(json.dumps({"supervisor": stack.pid, "services": {}, **chosen}))
        assert as_running(settings) == settings.model_copy(update=chosen)
        stack.communicate(b"\n")
    assert as_running(settings) == settings
