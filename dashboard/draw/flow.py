"""A Sankey diagram: where people go from step to step, as bands whose height is their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from dashboard.draw import numbers

_WIDTH, _HEIGHT, _NODE, _GAP, _WORDS = 1000.0, 360.0, 10.0, 12.0, 130.0
_TOP: Final = 6
OTHER: Final = "(other)"
Node = tuple[int, str]


@dataclass(frozen=True)
class Move:
    """So many go from a place at a step to a place at the next step."""

    step: int
    origin: str
    target: str
    count: int


@dataclass
class _Box:
    x: float
    y: float
    height: float
    size: int
    out: float = 0.0
    into: float = 0.0


def fold(moves: Sequence[Move], top: int = _TOP) -> list[Move]:
    """Return the moves with all but the `top` places of each step put together as OTHER."""
    sizes: dict[Node, int] = {}
    for move in moves:
        sizes[move.step, move.origin] = sizes.get((move.step, move.origin), 0) + move.count
        sizes[move.step + 1, move.target] = sizes.get((move.step + 1, move.target), 0) + move.count
    steps = {step for step, _ in sizes}
    kept = {
        node
        for each in steps
        for node in sorted((node for node in sizes if node[0] == each), key=lambda node: (-sizes[node], node[1]))[:top]
    }
    folded: dict[tuple[int, str, str], int] = {}
    for move in moves:
        origin = move.origin if (move.step, move.origin) in kept else OTHER
        target = move.target if (move.step + 1, move.target) in kept else OTHER
        folded[move.step, origin, target] = folded.get((move.step, origin, target), 0) + move.count
    return [Move(*key, count) for key, count in sorted(folded.items(), key=lambda item: -item[1])]


def draw(moves: Sequence[Move], title: str) -> Markup:
    """Return the diagram; it scrolls by itself where the page is narrow."""
    boxes = _boxes(moves)
    bands = Markup("").join(_bands(moves, boxes))
    nodes = Markup("").join(_node(name, box) for (_, name), box in boxes.items())
    return Markup(
        '<div class="scroll" role="region" tabindex="0" aria-label="{}"><svg class="flow" role="img" aria-label="{}" '
        'viewBox="0 -8 {} {}">{}{}</svg></div>'
    ).format(title, f"{title}; the table of moves says the same", f"{_WIDTH:.0f}", f"{_HEIGHT + 16:.0f}", bands, nodes)


def _boxes(moves: Sequence[Move]) -> dict[Node, _Box]:
    """Return the place of each node: steps from left to right, the largest on top."""
    into: dict[Node, int] = {}
    out: dict[Node, int] = {}
    for move in moves:
        out[move.step, move.origin] = out.get((move.step, move.origin), 0) + move.count
        into[move.step + 1, move.target] = into.get((move.step + 1, move.target), 0) + move.count
    sizes = {node: max(into.get(node, 0), out.get(node, 0)) for node in {*into, *out}}
    steps = sorted({step for step, _ in sizes})
    most = max(sum(size for (each, _), size in sizes.items() if each == step) for step in steps)
    rows = max(sum(1 for each, _ in sizes if each == step) for step in steps)
    scale = (_HEIGHT - _GAP * (rows - 1)) / most
    boxes: dict[Node, _Box] = {}
    for at, step in enumerate(steps):
        boxes |= _column(step, sizes, scale, (_WIDTH - _WORDS - _NODE) * at / max(len(steps) - 1, 1))
    return boxes


def _column(step: int, sizes: Mapping[Node, int], scale: float, x: float) -> dict[Node, _Box]:
    nodes = [node for node in sizes if node[0] == step]
    nodes.sort(key=lambda node: (node[1].startswith("("), -sizes[node], node[1]))
    boxes, y = {}, 0.0
    for node in nodes:
        height = max(1.0, sizes[node] * scale)
        boxes[node] = _Box(x, y, height, sizes[node])
        y += height + _GAP
    return boxes


def _bands(moves: Sequence[Move], boxes: Mapping[Node, _Box]) -> list[Markup]:
    """Return a band for each move; where bands leave or reach a node, they lie in the order of their other ends."""
    leaves = {}
    for move in sorted(moves, key=lambda move: boxes[move.step + 1, move.target].y):
        origin = boxes[move.step, move.origin]
        leaves[move] = origin.y + origin.out
        origin.out += origin.height * move.count / origin.size
    bands = []
    for move in sorted(moves, key=lambda move: boxes[move.step, move.origin].y):
        origin, target = boxes[move.step, move.origin], boxes[move.step + 1, move.target]
        height = origin.height * move.count / origin.size
        bands.append(_band(move, (origin.x + _NODE, leaves[move]), (target.x, target.y + target.into), height))
        target.into += height
    return bands


def _band(move: Move, start: tuple[float, float], end: tuple[float, float], height: float) -> Markup:
    (x0, y0), (x1, y1) = start, end
    y0, y1, middle = y0 + height / 2, y1 + height / 2, (x0 + x1) / 2
    path = f"M{x0:.1f},{y0:.1f} C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
    return Markup('<path class="flow-band" d="{}" stroke-width="{}"><title>{}</title></path>').format(
        path, f"{max(height, 0.5):.1f}", f"{move.origin} to {move.target}: {numbers.count(move.count)}"
    )


def _node(name: str, box: _Box) -> Markup:
    words = name if len(name) <= 16 else f"{name[:15]}…"  # noqa: PLR2004 - what fits beside the band
    return Markup(
        '<g><title>{}</title><rect class="flow-node" x="{}" y="{}" width="{}" height="{}"/>'
        '<text x="{}" y="{}" dy="0.35em">{}</text></g>'
    ).format(
        f"{name}: {numbers.count(box.size)}",
        f"{box.x:.1f}",
        f"{box.y:.1f}",
        f"{_NODE:.0f}",
        f"{box.height:.1f}",
        f"{box.x + _NODE + 6:.1f}",
        f"{box.y + box.height / 2:.1f}",
        f"{words} {numbers.count(box.size)}",
    )
