"""The git hooks are `make lint`, and the container for editors has what the README asks for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import yaml

from contracts.settings import Settings
from tests.pages import ROOT

HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
CONTAINER: dict[str, Any] = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
DOCKERFILE = (ROOT / ".devcontainer" / "Dockerfile").read_text()


def recipe(target: str) -> list[str]:
    (lines,) = re.findall(rf"^{target}: .*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return [line.removeprefix("\t@$(BIN)/").removesuffix(" .") for line in lines.splitlines()]


def test_the_hooks_run_what_make_lint_runs() -> None:
    entries = [hook["entry"].removeprefix(".venv/bin/").replace(" --force-exclude", "") for hook in HOOKS]
    assert sorted(" ".join(sorted(entry.split())) for entry in entries) == sorted(
        " ".join(sorted(line.split())) for line in recipe("lint")
    )
    # Nothing is fetched from elsewhere: the programs are those of .venv.
    assert {hook["language"] for hook in HOOKS} == {"system"}


def test_the_configuration_of_the_hooks_is_one() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml"]
    subprocess.run(command, cwd=ROOT, check=True)


def test_the_container_has_what_the_readme_asks_for_and_sets_up_with_make() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "Python 3.11 or 3.12, make, Node.js with npm (for ClickHouse), and Java 17 with Maven (for Kafka)" in readme
    assert re.search(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)[1] in (ROOT / "Dockerfile").read_text()
    for package in ("make", "nodejs", "npm", "openjdk-17-jre-headless", "maven", "chromium"):
        assert re.search(rf"\s{package}\s", DOCKERFILE), package
    assert CONTAINER["postCreateCommand"] == "make setup"


def test_the_container_forwards_the_pages_of_the_stack_and_is_of_no_one_editor() -> None:
    pages = {Settings.model_fields[f"{name}_port"].default for name in ("dagster", "dashboard", "clickhouse")}
    assert set(CONTAINER["forwardPorts"]) == pages | {8099}
    assert {int(port) for port in CONTAINER["portsAttributes"]} == set(CONTAINER["forwardPorts"])
    assert "customizations" not in CONTAINER
