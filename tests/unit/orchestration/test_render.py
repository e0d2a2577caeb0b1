"""Messages say what matters and never exceed what Slack takes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from local.slack_stand_in import _complaints
from orchestration.alerts.incidents import Incident, Observation, fold
from orchestration.alerts.render import duration, render, render_note

BASE = "http://localhost:3000"
SPIKE = Observation(
    subject="check:a:b",
    kind="check",
    title="b on a",
    at=1_767_225_600,
    failing=True,
    severity="warning",
    summary="Item i1 sold 90, expected 10 (9x).",
    facts=(("window", "2026-01-01 00:00 UTC"), ("threshold", "1.5 x expected")),
    items=("i1",),
    table="| item |\n|---|\n| i1 |",
    path="/assets/a?view=checks",
)


def opened(observation: Observation = SPIKE) -> Incident:
    return fold([], observation)[0]


def test_an_open_incident_says_what_since_when_and_where() -> None:
    message = render(opened(), BASE)
    shown = str(message.blocks)
    for part in ("Check failed: b on a", "Item i1 sold 90", "1.5 x expected", "2026-01-01 00:00:00 UTC"):
        assert part in shown
    assert "<http://localhost:3000/assets/a?view=checks|Open in Dagster>" in shown
    assert message.color != "#2eb67d"


def test_a_resolved_incident_is_green_and_says_how_long_it_lasted() -> None:
    resolved = fold([opened()], replace(SPIKE, failing=False, at=SPIKE.at + 750))[0]
    message = render(resolved, BASE)
    assert message.color == "#2eb67d"
    assert message.text.startswith("Resolved: b on a")
    assert "lasted 12 min" in str(message.blocks)


def test_text_from_outside_cannot_mention_people_or_forge_links() -> None:
    forged = opened(replace(SPIKE, summary="<!channel> & <https://evil|x>", table="<!channel>"))
    assert "<!channel>" not in str(render(forged, BASE).blocks)


def test_a_cut_text_says_that_it_was_cut() -> None:
    long = opened(replace(SPIKE, summary="x" * 10_000, table="y" * 10_000))
    sections = [
        block["text"]["text"] for block in render(long, BASE).blocks if block["type"] == "section" and "text" in block
    ]
    assert [len(text) for text in sections] == [3000, 3000]
    assert all("cut; the rest is in Dagster" in text for text in sections)
    assert sections[1].endswith("```")


@given(st.text(max_size=9_000), st.text(max_size=9_000), st.text(max_size=400), st.lists(st.text(max_size=3_000)))
def test_slack_accepts_whatever_is_rendered(summary: str, table: str, title: str, facts: list[str]) -> None:
    pairs = tuple((fact[:20], fact) for fact in facts)
    incident = opened(replace(SPIKE, summary=summary, table=table, title=title, facts=pairs))
    assert list(_complaints(render(incident, BASE).blocks)) == []
    assert len(render_note(incident)) <= 3_000


def test_durations_are_for_people() -> None:
    assert [duration(seconds) for seconds in (45, 720, 12_000)] == ["45 s", "12 min", "3 h 20 min"]
