"""The tutorial as a newcomer types it: every command of docs/tutorial.md, in its order, on a stack of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from contracts.clickhouse import connect
from contracts.settings import Settings
from local.install import kafka_is_installed
from local.ports import free_ports
from tests.pages import DOCS, ROOT, fenced
from tests.patience import PROGRAM_SECONDS, WAIT_SECONDS

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka, pytest.mark.slow]

PAGE = (DOCS / "tutorial.md").read_text()
# What setting up, the second terminal and the whole demo are for; other tests run `make setup` and the demo.
ELSEWHERE = {"make setup\nexport", "millrace up", "make demo"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    (folder / "dbt_project").symlink_to(ROOT / "dbt_project")
    return folder


@pytest.fixture(scope="module")
def environment(clone: Path) -> dict[str, str]:
    if os.environ.get("KAFKA") == "memory" or not kafka_is_installed():
        pytest.skip("needs a real Kafka: Java 17 and Maven, and KAFKA not set to memory")
    http, native, kafka = free_ports(3)
    own = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CLICKHOUSE_PORT": str(http),
        "CLICKHOUSE_NATIVE_PORT": str(native),
        "KAFKA_BROKER_URL": f"localhost:{kafka}",
        "DBT_TARGET_PATH": str(clone / "target"),
        "DBT_LOG_PATH": str(clone / "log"),
    }
    return os.environ | own


@pytest.fixture(scope="module")
def second_terminal(clone: Path, environment: Mapping[str, str]) -> Iterator[None]:
    (command,) = (block for block in fenced(PAGE, "sh") if block.startswith("millrace up"))
    process = subprocess.Popen(
        command.split(), cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if "Ctrl-C stops everything" in line:
            break
    assert process.poll() is None, "".join(said)
    yield
    process.kill()  # in order it takes six seconds; nothing outlives it (tests/integration/test_commands.py)
    process.wait()


def typed(block: str, clone: Path, environment: Mapping[str, str]) -> str:
    text = block.replace("localhost:8123", f"localhost:{environment['CLICKHOUSE_PORT']}")
    command = ["bash", "-euo", "pipefail", "-c", text]
    done = subprocess.run(
        command, cwd=clone, env=environment, capture_output=True, text=True, check=False, timeout=PROGRAM_SECONDS
    )
    assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def wait_until_landed(messages: int, environment: Mapping[str, str]) -> None:
    settings = Settings(_env_file=None, clickhouse_host="127.0.0.1", clickhouse_port=environment["CLICKHOUSE_PORT"])
    deadline = time.monotonic() + WAIT_SECONDS
    with connect(settings) as client:
        while (landed := client.command("SELECT count() FROM raw.events")) < messages:
            assert time.monotonic() < deadline, f"{landed} of {messages} events have landed"
            time.sleep(0.1)


def test_every_command_of_the_tutorial_does_what_the_page_says(
    second_terminal: None, clone: Path, environment: Mapping[str, str]
) -> None:
    said: list[str] = []
    sent = 0
    for block in fenced(PAGE, "sh"):
        if not block.startswith(tuple(ELSEWHERE)):
            output = typed(block, clone, environment)
            said.append(output)
            sent += sum(int(count.replace(",", "")) for count in re.findall(r"delivered ([\d,]+)", output))
            wait_until_landed(sent, environment)
    everything = "".join(said)
    assert "rows refused 1" in everything
    assert {"cyd", "dan"} <= set(re.findall(r"^2026-03-02 .* (\w+) +120\.0+$", everything, re.MULTILINE))
    assert re.search(r"complete: [\d,]+ offsets, lost 0, doubled 0", everything)
    assert fenced(PAGE, "text")[0] in said
    assert sent > 6_000
