"""Each arrow of docs/how-it-works.md says what it promises, how, and which tests show it; none is left out."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.pages import DOCS

PAGE = (DOCS / "how-it-works.md").read_text()
CHAPTERS = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n?)*)", PAGE, re.MULTILINE))
ARROWS = {name: text for name, text in CHAPTERS.items() if " to " in name}


@pytest.mark.parametrize("arrow", ARROWS)
def test_an_arrow_has_a_promise_a_way_and_a_test(arrow: str) -> None:
    text = ARROWS[arrow]
    assert re.findall(r"^\*\*(Promise|How)\.\*\*", text, re.MULTILINE) == ["Promise", "How"]
    shown = text.split("**Shown by**", 1)[1]
    assert re.search(r"`tests/[\w./]+`", shown)


def test_the_arrows_are_those_of_the_picture() -> None:
    picture = PAGE.split("\n\n")[1]
    hops = re.findall(r"[a-z]+", picture)
    assert hops == ["produce", "kafka", "ingest", "raw", "staging", "marts", "checks", "alerts", "dashboard"]
    # The worker is the arrow from kafka to raw.
    along = [hop for hop in hops if hop not in {"ingest", "dashboard"}]
    assert {f"{one} to {other}" for one, other in pairwise(along)} <= set(ARROWS)
    assert "marts and live to dashboard" in ARROWS
