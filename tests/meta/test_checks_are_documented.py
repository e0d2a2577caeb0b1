"""Each check has its heading, its runbook, and settings that exist; the page is made from the catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.settings import Settings
from orchestration.checks.catalogue import CHECKS
from orchestration.checks.catalogue_page import PAGE, render
from orchestration.checks.check_info import QUESTIONS, CheckInfo
from orchestration.definitions import defs

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK_HEADINGS = ["What it means", "How to look", "What to do"]


def test_the_page_is_what_the_catalogue_makes() -> None:
    assert PAGE.read_text() == render(), "docs/checks.md is stale: run `make docs`"


def test_every_check_of_our_own_is_in_the_catalogue_and_in_the_code_location() -> None:
    graph = defs.get_repository_def().asset_graph
    ours = {key for key in graph.asset_check_keys if "group" in (graph.get_check_spec(key).metadata or {})}
    assert ours == {check.key for check in CHECKS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_has_a_heading_a_runbook_and_known_settings(check: CheckInfo) -> None:
    assert re.search(rf"^### {check.name}$", PAGE.read_text(), re.MULTILINE)
    runbook = (ROOT / check.runbook).read_text()
    assert runbook.startswith(f"# {check.name}: ")
    assert re.findall(r"^## (.*)$", runbook, re.MULTILINE) == RUNBOOK_HEADINGS
    assert {name.lower() for name in check.settings} <= set(Settings.model_fields)
    assert check.fails_when.startswith("Fails when ")
    assert check.group in QUESTIONS


def test_every_threshold_is_a_setting_of_some_check() -> None:
    named = {name.lower() for check in CHECKS for name in check.settings}
    thresholds = {name for name in Settings.model_fields if name.startswith("alert_sales_")}
    assert thresholds <= named
