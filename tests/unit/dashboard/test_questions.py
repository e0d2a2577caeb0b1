"""The questions: SQL in files, with bound parameters that the pages really give, and none but reading."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import yaml

from dashboard.filters import Filters
from dashboard.pages import PAGES
from dashboard.questions import Question, questions
from local.paths import ROOT

GIVEN = set(Filters({}, datetime.now(UTC)).parameters())
ALL = questions().values()


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.name)
def test_a_question_says_what_it_asks_and_takes_what_the_filters_give(question: Question) -> None:
    assert question.meaning.endswith(".")
    assert question.parameters <= GIVEN
    assert re.match(r"(SELECT|WITH)\b", question.sql)
    assert ";" not in question.sql


def test_every_panel_has_its_questions_and_every_question_its_use() -> None:
    panels = [panel for page in PAGES for panel in page.panels]
    used = {panel.question for panel in panels if panel.ask is None} | {"freshness"}
    used |= {name for panel in panels for name in panel.also}
    used |= {name for name in questions() if name.startswith("options_")}
    assert used == set(questions())


def test_an_answer_about_a_long_stretch_serves_longer_than_one_about_an_hour() -> None:
    question = questions()["users_by"]
    keeps = {
        name: question.keeps(Filters({"range": name}, datetime.now(UTC)).parameters()) for name in ("1h", "24h", "30d")
    }
    assert keeps["1h"] == question.keep_seconds < keeps["24h"] < keeps["30d"] == 60
    now = questions()["live_users"]
    assert now.keeps(Filters({"range": "30d"}, datetime.now(UTC)).parameters()) == now.keep_seconds
    minutes = questions()["live_minutes"]
    live = {name: minutes.keeps(Filters({"range": name}, datetime.now(UTC)).parameters()) for name in ("30m", "6h")}
    assert live["30m"] == minutes.keep_seconds == 1 < live["6h"] < 8


def test_a_panels_name_is_its_own_on_its_page() -> None:
    for page in PAGES:
        names = [panel.name for panel in page.panels]
        assert len(names) == len(set(names)), page.name


def test_dbt_says_of_the_dashboard_that_it_reads_what_its_questions_read() -> None:
    exposures = yaml.safe_load((ROOT / "dbt_project" / "models" / "exposures.yml").read_text())["exposures"]
    named = next(each["depends_on"] for each in exposures if each["name"] == "dashboard")
    read = {name for question in ALL for name in re.findall(r"\b(?:marts|live)\.(\w+)", question.sql)}
    assert {re.findall(r"'(\w+)'", ref)[0] for ref in named} == read
