"""Messages say what matters and never exceed what Slack takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.settings import Settings
from local.slack_stand_in import _complaints
from orchestration.alerts.channels.slack_message import render, render_note
from orchestration.alerts.chart import png, sparkline
from orchestration.alerts.incidents import Change, Incident, Observation
from orchestration.alerts.lifecycle import Policy, fold
from orchestration.alerts.notice import Notice, duration, of_change
from tests.alert_tools import NOON, passing, seen

HOURS = [f"2026-01-01T{hour:02d}:00:00+00:00" for hour in range(5)]
CHART = {"times": HOURS, "observed": [4, 5, 4, 6, 40], "expected": [5.0] * 5, "upper": [9.0] * 5}
VALUES = {
    "observed": 90,
    "expected": 10.0,
    "ratio": 9.0,
    "sample_size": 168,
    "window": "12:00 to 13:00 UTC",
    "detector": "negative binomial",
    "run": "r1",
    "runbook": "https://wiki/spike",
    "table": "| item |\n|---|\n| i1 |",
}


def notice(*observations: Observation, mention: str = "<@U1>") -> Notice:
    current: Incident | None = None
    last: Change | None = None
    for one in observations:
        step = fold(current, one, Policy())
        current, last = step.incident, step.changes[-1] if step.changes else last
    assert last is not None
    return of_change(last, "shop", mention, "upstream: lag 0", Settings(_env_file=None))


SPIKE = seen(0, "i1", severity="warning", values=VALUES)


def test_an_open_incident_says_what_against_what_since_when_and_where() -> None:
    shown = str(render(notice(SPIKE)).blocks)
    for part in (
        *(
            "Check failed: x on marts/fct_item",
            "<@U1> Item i1 sold 90.",
            f"since {NOON:%Y-%m-%d} 12:00:00 UTC",
            "seen 1 time",
        ),
        *("*observed*\\n90", "*expected*\\n10", "*ratio*\\n9", "*sample size*\\n168", "negative binomial"),
        *("12:00 to 13:00 UTC", "upstream: lag 0", "owner: shop", "| i1 |"),
        *("<http://localhost:3000/assets/a?view=checks|Open in Dagster>", "<http://localhost:3000/runs/r1|Run>"),
        *("<http://localhost:8050|Dashboard>", "<https://wiki/spike|Runbook>"),
    ):
        assert part in shown, part


def test_a_resolved_incident_is_green_calls_nobody_and_says_how_long_it_lasted() -> None:
    message = render(notice(SPIKE, passing(750)))
    assert message.color == "#2eb67d"
    assert message.text.startswith("Resolved: x on marts/fct_item")
    assert "lasted 12 min" in str(message.blocks)
    assert "<@U1>" not in str(message.blocks)


def test_what_explains_it_upstream_is_said() -> None:
    explained = notice(SPIKE, seen(1, held_back="consumer lag is 90,000"))
    assert "Explained upstream: consumer lag is 90,000" in str(render(explained).blocks)


def test_a_chart_is_a_picture_where_one_was_uploaded_and_a_line_of_text_elsewhere() -> None:
    charted = notice(replace(SPIKE, values=VALUES | {"chart": CHART}))
    assert {"id": "F1"} in [block.get("slack_file") for block in render(charted, "F1").blocks]
    assert "▁▁▁▁█ 40 (expected 5)" in str(render(charted).blocks).replace("▂", "▁")
    assert png(CHART, "$x_i").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "chart", [{}, {"times": HOURS}, {"times": HOURS, "observed": [1]}, {"times": ["no"], "observed": [1]}]
)
def test_a_chart_that_cannot_be_drawn_is_said_to_be_none(chart: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"a chart has|Invalid isoformat"):
        png(chart, "")
    sparkline(chart)


def test_gaps_in_a_chart_are_gaps() -> None:
    assert sparkline({"observed": [1, None, 1]}) == "█ █ 1"


def test_text_from_outside_cannot_mention_people_or_forge_links() -> None:
    forged = replace(notice(SPIKE), summary="<!channel> & <https://evil|x>", table="<!channel>", note="<!here>")
    message = render(forged)
    assert "<!channel>" not in str(message.blocks) + message.plain + message.text
    assert "<!here>" not in render_note(forged)
    assert render_note(forged).startswith("<@U1>")


def test_a_cut_text_says_that_it_was_cut() -> None:
    long = replace(notice(SPIKE), mention="", summary="x" * 10_000, table="y" * 10_000)
    blocks = [block for block in render(long).blocks if block["type"] == "section" and "text" in block]
    sections = [block["text"]["text"] for block in blocks]
    assert [len(text) for text in sections] == [3000, 3000]
    assert all("cut; the rest is in Dagster" in text for text in sections)
    assert sections[1].endswith("```")


@given(st.text(max_size=9_000), st.text(max_size=9_000), st.text(max_size=400), st.lists(st.text(max_size=3_000)))
def test_slack_accepts_whatever_is_rendered(summary: str, table: str, title: str, facts: list[str]) -> None:
    pairs = tuple((fact[:20], fact) for fact in facts)
    said = Notice("open", "k", title, summary, facts=pairs, table=table, health=summary, timing=title, note=table)
    message = render(said)
    assert list(_complaints(message.blocks)) == []
    assert len(render_note(said)) <= 3_000
    assert len(message.plain) <= 3_000
    assert len(message.text) <= 3_000


def test_a_notice_survives_the_outbox() -> None:
    said = notice(replace(SPIKE, values=VALUES | {"chart": CHART}))
    assert Notice.from_json(said.to_json()) == said


def test_durations_are_for_people() -> None:
    assert [duration(seconds) for seconds in (45, 720, 12_000)] == ["45 s", "12 min", "3 h 20 min"]
