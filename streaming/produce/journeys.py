"""Journeys: what people do in a session, a block of sessions at a time, as plain numbers.

A session is a row of pages; on each page things happen (clicks, scrolls, a search on a search page,
an item put into the cart on its product page). Whoever buys goes to the cart and the checkout last,
and buys only what this session put into the cart. Rates are chosen so that the mix of event types
comes out as `contracts.event.EVENT_TYPE_WEIGHTS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contracts.event import EVENT_TYPE_WEIGHTS
from streaming.produce.catalogue import CATEGORIES, Catalogue
from streaming.produce.experiments import ARMS
from streaming.produce.population import Population

KINDS: Final = tuple(EVENT_TYPE_WEIGHTS)
PAGE_VIEW, CLICK, SCROLL, HOVER, ADD_TO_CART, SEARCH, LOGIN, SHARE, PURCHASE = range(len(KINDS))

# Codes of the pages: four fixed ones, then a page for each category, each search query, each item.
HOME, CART, CHECKOUT, ACCOUNT = range(4)
CATEGORY_PAGES: Final = 4
QUERY_PAGES: Final = CATEGORY_PAGES + len(CATEGORIES)
ITEM_PAGES: Final = QUERY_PAGES + sum(len(queries) for _, _, queries in CATEGORIES)

#: One event before it has a wall-clock time: `at` is seconds from the session's start.
EVENT: Final = np.dtype(
    [
        ("at", "f8"),
        ("session", "u8"),
        ("noise", "u8"),
        ("user", "i4"),
        ("page", "i4"),
        ("item", "i4"),  # -1: none
        ("kind", "u1"),
        ("device", "u1"),
        ("arm", "u1"),  # set on the exposure only
        ("quantity", "u1"),  # 0: none
        ("referrer", "u1"),  # 0: none
    ]
)
Events = NDArray[np.void]

_PAGES_MEAN = 6.0
_BOUNCE = 0.22
# Relative frequency of the kinds of page: home, account, category, search, product.
_KINDS_OF_PAGE = np.cumsum([0.10, 0.05, 0.22, 0.119, 0.511])
_PAGE_HOME, _PAGE_ACCOUNT, _PAGE_CATEGORY, _PAGE_SEARCH, _PAGE_PRODUCT = range(5)
# Expected number per page view.
_PER_PAGE = {CLICK: 20 / 35, SCROLL: 15 / 35, HOVER: 8 / 35}
_LOGIN_PER_SESSION = 0.435
_CART_PER_PRODUCT_PAGE = 0.346
_SHARE_PER_PRODUCT_PAGE = 0.0575
# Before the experiment's effect; the arms' average effect makes it a little more.
_PURCHASE_PER_CART = 0.127
_OTHER_DEVICE = 0.2
_LIKES_FAVOURITE = 0.35
REFERRERS: Final = (
    "",
    "https://www.google.com/",
    "https://www.bing.com/",
    "https://www.instagram.com/",
    "https://mail.example.com/newsletter",
    "https://blog.example.org/gift-guide",
)
_REFERRER_SHARES = (0.42, 0.28, 0.06, 0.12, 0.08, 0.04)
# No pause inside a session reaches the 30 minutes after which a session counts as over.
_LONGEST_GAP = 1_700.0
_CALLED_AWAY = 0.02


@dataclass(frozen=True)
class _Pages:
    """Page views of a block: which session (row number), the how-manieth, its kind, its code, its item."""

    session: NDArray[np.int64]
    number: NDArray[np.int64]
    kind: NDArray[np.int64]
    code: NDArray[np.int64]
    item: NDArray[np.int64]


def sessions(catalogue: Catalogue, population: Population, rng: np.random.Generator, count: int) -> Events:
    """Return the events of `count` sessions, ordered by session and then by time within it.

    Each session's first event is at 0; `session` is a random 64-bit key, equal within a session.
    """
    users = population.draw(rng, count)
    pages = _browse(catalogue, population, rng, users)
    parts = [_views(pages), *_interactions(pages, rng)]
    logins = np.flatnonzero(rng.random(count) < _LOGIN_PER_SESSION)
    parts.append(_rows(logins, np.zeros_like(logins), LOGIN, 1))
    carts, purchases = _basket(pages, population.arm[users], rng)
    parts += [carts, *purchases]
    table = np.concatenate(parts)
    table = table[np.argsort(_order(table), kind="stable")]
    _where(table, pages)
    return _events(table, users, population, rng)


#: Working row: `slot` orders what happens on one page; `page` -1 stands for "the page's own code".
_ROW: Final = np.dtype(
    [("session", "i8"), ("number", "i8"), ("slot", "i8"), ("kind", "u1"), ("page", "i4"), ("item", "i4")]
)


def _rows(
    session: NDArray[np.int64],
    number: NDArray[np.int64],
    kind: int,
    slot: NDArray[np.int64] | int,
    page: NDArray[np.int64] | int = -1,
    item: NDArray[np.int64] | int = -1,
) -> Events:
    rows: Events = np.empty(len(session), dtype=_ROW)
    rows["session"], rows["number"], rows["slot"], rows["kind"] = session, number, slot, kind
    rows["page"], rows["item"] = page, item
    return rows


def _order(table: Events) -> NDArray[np.int64]:
    order: NDArray[np.int64] = (table["session"] << 20) | (table["number"] << 8) | table["slot"]
    return order


def _browse(catalogue: Catalogue, population: Population, rng: np.random.Generator, users: NDArray[np.int64]) -> _Pages:
    """Draw how many pages each session sees, and which."""
    bounced = rng.random(len(users)) < _BOUNCE
    # Mean over all sessions is _PAGES_MEAN; the tail is cut where the order key would overflow.
    lengths = 1 + rng.geometric(1 / ((_PAGES_MEAN - 1) / (1 - _BOUNCE)), len(users))
    lengths = np.where(bounced, 1, np.minimum(lengths, 200))
    session = np.repeat(np.arange(len(users)), lengths)
    number = np.arange(len(session)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kind = np.searchsorted(_KINDS_OF_PAGE, rng.random(len(session)) * _KINDS_OF_PAGE[-1], side="right")
    category = np.where(
        rng.random(len(session)) < _LIKES_FAVOURITE,
        population.favourite[users[session]],
        rng.integers(0, len(CATEGORIES), len(session)),
    )
    # A shop with fewer items than categories has empty ones: those fall back to the whole shop.
    stocked = np.diff(catalogue.bounds)[category] > 0
    by_taste = (rng.random(len(session)) < _LIKES_FAVOURITE) & stocked
    item = np.where(by_taste, catalogue.draw_in(rng, category), catalogue.draw(rng, len(session)))
    per_category = len(CATEGORIES[0][2])
    query = category * per_category + rng.integers(0, per_category, len(session))
    fixed = np.where(kind == _PAGE_ACCOUNT, ACCOUNT, HOME)
    code = np.select(
        [kind == _PAGE_CATEGORY, kind == _PAGE_SEARCH, kind == _PAGE_PRODUCT],
        [CATEGORY_PAGES + category, QUERY_PAGES + query, ITEM_PAGES + item],
        fixed,
    )
    return _Pages(session, number, kind, code, np.where(kind == _PAGE_PRODUCT, item, -1))


def _views(pages: _Pages) -> Events:
    return _rows(pages.session, pages.number, PAGE_VIEW, 0)


def _interactions(pages: _Pages, rng: np.random.Generator) -> list[Events]:
    """Clicks, scrolls and hovers on any page; a search on each search page; shares of products."""
    parts = []
    for kind, mean in _PER_PAGE.items():
        counts = rng.poisson(mean, len(pages.session))
        session, number = np.repeat(pages.session, counts), np.repeat(pages.number, counts)
        parts.append(_rows(session, number, kind, rng.integers(10, 200, len(session))))
    searches = pages.kind == _PAGE_SEARCH
    parts.append(_rows(pages.session[searches], pages.number[searches], SEARCH, 2))
    shares = (pages.kind == _PAGE_PRODUCT) & (rng.random(len(pages.kind)) < _SHARE_PER_PRODUCT_PAGE)
    parts.append(_rows(pages.session[shares], pages.number[shares], SHARE, 210))
    return parts


def _basket(pages: _Pages, arms: NDArray[np.int64], rng: np.random.Generator) -> tuple[Events, tuple[Events, Events]]:
    """Items put into the cart, and, for those who buy, the cart, the checkout and the purchases."""
    chosen = (pages.kind == _PAGE_PRODUCT) & (rng.random(len(pages.kind)) < _CART_PER_PRODUCT_PAGE)
    session, item = pages.session[chosen], pages.item[chosen]
    carts = _rows(session, pages.number[chosen], ADD_TO_CART, 220)
    effects = np.array([variation.effect for _, variation in ARMS])
    bought = rng.random(len(session)) < _PURCHASE_PER_CART * (1 + effects[arms[session]])
    # 4,000 is after any page of the session, and still fits the 12 bits of the order key.
    buyers = np.unique(session[bought])
    last = np.concatenate(
        (
            _rows(buyers, np.full(len(buyers), 4_000), PAGE_VIEW, 0, CART),
            _rows(buyers, np.full(len(buyers), 4_001), PAGE_VIEW, 0, CHECKOUT),
        )
    )
    bought_rows = _rows(session[bought], np.full(int(bought.sum()), 4_001), PURCHASE, 100, CHECKOUT, item[bought])
    return carts, (last, bought_rows)


def _where(table: Events, pages: _Pages) -> None:
    """Give every row that has no page of its own the code and item of the page it happened on."""
    order = (pages.session << 20) | (pages.number << 8)
    own = table["page"] >= 0
    # Pages come ordered by session and number, so each row's page is found by bisection.
    index = np.searchsorted(order, _order(table) & ~np.int64(255), side="right") - 1
    table["page"] = np.where(own, table["page"], pages.code[index])
    table["item"] = np.where(own, table["item"], pages.item[index])


def _events(table: Events, users: NDArray[np.int64], population: Population, rng: np.random.Generator) -> Events:
    """Turn ordered rows into events: who, on what device, when, with which details."""
    size, count = len(table), len(users)
    session = table["session"]
    events: Events = np.zeros(size, dtype=EVENT)
    first = np.ones(size, dtype=bool)
    first[1:] = session[1:] != session[:-1]
    events["session"] = rng.integers(0, 2**64, count, dtype=np.uint64)[session]
    events["noise"] = rng.integers(0, 2**64, size, dtype=np.uint64)
    events["user"] = users[session]
    device = (rng.random(count) < _OTHER_DEVICE).astype(np.int64)
    events["device"] = population.devices[users, device][session]
    events["kind"], events["page"], events["item"] = table["kind"], table["page"], table["item"]
    basket = (table["kind"] == ADD_TO_CART) | (table["kind"] == PURCHASE)
    events["quantity"] = np.where(basket, np.minimum(rng.geometric(0.75, size), 9), 0)
    events["arm"] = np.where(first, population.arm[users[session]], 0)
    referrer = rng.choice(len(REFERRERS), count, p=_REFERRER_SHARES)
    events["referrer"] = np.where(first, referrer[session], 0)
    events["at"] = _times(table, first, rng)
    return events


def _times(table: Events, first: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return seconds since each session's start: a moment between actions, longer before a new page."""
    size = len(table)
    view = table["kind"] == PAGE_VIEW
    gap = np.exp(rng.standard_normal(size) * 0.8 + np.where(view, np.log(12.0), np.log(3.0)))
    # People get called away: one page in fifty waits for minutes, never for a session's 30.
    away = view & (rng.random(size) < _CALLED_AWAY)
    gap = np.minimum(np.where(away, rng.uniform(180, _LONGEST_GAP, size), gap), _LONGEST_GAP)
    together = np.zeros(size, dtype=bool)
    together[1:] = (table["kind"][1:] == PURCHASE) & (table["kind"][:-1] == PURCHASE)
    # The lines of one order are bought in the same instant.
    gap[first | together] = 0.0
    running = np.cumsum(gap)
    starts: NDArray[np.float64] = running[first]
    elapsed: NDArray[np.float64] = running - starts[np.cumsum(first) - 1]
    return elapsed
