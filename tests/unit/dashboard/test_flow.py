from __future__ import annotations

from xml.etree import ElementTree as ET

from dashboard.draw.flow import OTHER, Move, draw, fold

MOVES = [
    Move(1, "/", "/p/*", 60),
    Move(1, "/", "(leaves)", 40),
    Move(2, "/p/*", "(leaves)", 60),
    Move(1, "/rare", "/p/*", 1),
]


def shapes(moves: list[Move], name: str) -> list[ET.Element]:
    return ET.fromstring(str(draw(moves, "Ways"))).findall(f".//{name}")


def test_what_is_rare_is_put_together_and_nobody_is_lost() -> None:
    folded = fold([*MOVES, Move(1, "/rarer", "/p/*", 1)], top=2)
    assert sum(move.count for move in folded) == sum(move.count for move in MOVES) + 1
    assert {move.origin for move in folded if move.step == 1} == {"/", "/rare", OTHER}
    assert {move.origin for move in fold(MOVES, top=6)} == {"/", "/p/*", "/rare"}


def test_a_band_is_as_high_as_its_share_of_the_node() -> None:
    heights = {band[0].text: float(band.get("stroke-width") or 0) for band in shapes(MOVES, "path")}
    whole = heights["/ to /p/*: 60"] + heights["/ to (leaves): 40"]
    assert abs(heights["/ to /p/*: 60"] / whole - 0.6) < 0.01


def test_no_node_is_drawn_outside_the_picture() -> None:
    many = [Move(step, f"/{at}", f"/{at % 7}", at + 1) for step in range(1, 5) for at in range(30)]
    for node in shapes(fold(many), "rect"):
        assert float(node.get("y") or 0) >= 0
        assert float(node.get("y") or 0) + float(node.get("height") or 0) <= 361


def test_a_pages_name_never_becomes_markup() -> None:
    assert "<img" not in str(draw([Move(1, "<img src=x>", "(leaves)", 1)], "<b>"))
