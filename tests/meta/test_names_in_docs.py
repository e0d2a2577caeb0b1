"""What the pages name exists: files, make targets, commands, settings, tables of rights, channels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from cli.commands import COMMANDS
from contracts.settings import Settings
from orchestration.alerts.rules import ChannelRule
from sql.grants import GRANTS
from tests.how_to import files_made
from tests.pages import DOCS, ROOT, pages

FOLDERS = (
    "archive|audit|benchmarks|cli|contracts|dashboard|dbt_project|docs|local|monitoring|orchestration|search|sql|streaming"
    "|tests"
)
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
# What other programs call their own settings, and how families of ours are named.
NOT_OURS = re.compile(r"^(KAFKA|CLICKHOUSE|INGEST|ALERT|SMTP|SLACK|DASHBOARD|ARCHIVE)_$")
# An asset of Dagster, named like a path.
ASSETS = {"archive/raw_days"}
CURRENT = [page for page in pages() if page.name != "CHANGELOG.md"]


def named(pattern: str, page: Path) -> set[str]:
    return set(re.findall(pattern, page.read_text()))


@pytest.mark.parametrize("page", CURRENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    paths = {path for path in named(rf"`((?:{FOLDERS})/[\w./-]*[\w/])`", page) if "NAME" not in path}
    assert {path for path in paths if not (ROOT / path).exists()} <= ASSETS | files_made(page)
    assert named(r"`make ([a-z][a-z-]*)", page) <= TARGETS
    assert named(r"`(?:\.venv/bin/)?millrace ([a-z][a-z-]*)", page) <= set(COMMANDS)
    settings = named(r"`((?:KAFKA|CLICKHOUSE|INGEST|ALERT|SMTP|SLACK|DASHBOARD|ARCHIVE)_[A-Z0-9_]+)\b", page)
    assert {
        name for name in settings if name.lower() not in Settings.model_fields and not NOT_OURS.match(name)
    } == set()


def test_every_kind_of_channel_has_a_heading() -> None:
    chapter = (DOCS / "alerts.md").read_text().split("## Channels\n")[1].split("\n## ")[0]
    assert re.findall(r"^### (.*)$", chapter, re.MULTILINE) == list(
        get_args(ChannelRule.model_fields["kind"].annotation)
    )


def test_every_role_of_clickhouse_is_in_the_page_about_security() -> None:
    assert set(re.findall(r"^\| `(millrace_\w+)` \|", (DOCS / "security.md").read_text(), re.MULTILINE)) == set(GRANTS)
