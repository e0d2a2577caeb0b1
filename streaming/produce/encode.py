"""Numbers into JSON: every event is a handful of prepared pieces of text, put side by side.

What repeats (a user's fields, a device's, a page's, an item's) is written as JSON once, and picked
by number for each event; only the id, the time and the session are made anew. That is what makes
100,000 events a second possible on one core.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from streaming.produce import journeys
from streaming.produce.catalogue import CATEGORIES, CURRENCY
from streaming.produce.experiments import ARMS
from streaming.produce.identifiers import hex_text, uuid7
from streaming.produce.journeys import KINDS, REFERRERS, Events
from streaming.produce.messages import RECORD_TYPES, Messages
from streaming.produce.pieces import VARIANTS, arrival, as_fields, details, device_fields, plain_columns
from streaming.produce.population import DEVICES
from streaming.produce.simulator import Shop, Timed

_QUANTITIES = 10


class Encoder:
    """Turns timed events of one shop into messages.

    Args:
        shop: whose users, items and pages the numbers mean.
    """

    def __init__(self, shop: Shop) -> None:
        users, items = shop.population, shop.catalogue
        self._keys = [user.encode() for user in users.user_ids]
        self._text = plain_columns(shop)
        self._kind = pl.Series([f'","event_type":"{kind}","timestamp":"' for kind in KINDS])
        # Two of each: the full fields, which page views and log-ins carry, and then the short ones.
        who = list(zip(users.user_ids, users.country, users.ip_address, strict=True))
        self._user = pl.Series(
            [
                f'","user_id":"{user}","country":"{country}","ip_address":"{ip}","session_id":"'
                for user, country, ip in who
            ]
            + [f'","user_id":"{user}","country":"{country}","session_id":"' for user, country, _ in who]
        )
        self._device = pl.Series(
            [device_fields(device, full=True) for device in DEVICES]
            + [device_fields(device, full=False) for device in DEVICES]
        )
        self._page = pl.Series(as_fields(page_url=url) for url in self._text["page_url"])
        self._item = pl.Series(
            [""]
            + [
                as_fields(item_id=name, item_category=CATEGORIES[category][0])
                + f',"price":{price},"currency":"{CURRENCY}"'
                for name, category, price in zip(items.item_ids, items.category, items.prices, strict=True)
            ]
        )
        self._quantity = pl.Series([""] + [f',"quantity":{number}' for number in range(1, _QUANTITIES)])
        self._arrival = pl.Series(arrival(arm, referrer) for arm in range(len(ARMS)) for referrer in REFERRERS)
        self._detail = pl.Series(details(items.queries))

    def encode(self, timed: Timed) -> Messages:
        """Return one message for each event, with its bytes and its record."""
        events, short = timed.events, _is_short(timed.events)
        ids = uuid7(timed.times, events["noise"], events["session"])
        session = hex_text(events["session"])
        time = pl.Series(timed.times).cast(pl.Datetime("ms", "UTC"))
        pieces = [
            ids,
            _pick(self._kind, events["kind"]),
            time.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
            _pick(self._user, events["user"] + short * len(self._keys)),
            session,
            _pick(self._device, events["device"] + short * len(DEVICES)),
            _pick(self._page, events["page"]),
            _pick(self._item, events["item"] + 1),
            _pick(self._quantity, events["quantity"]),
            _pick(self._arrival, events["arm"].astype(np.int64) * len(REFERRERS) + events["referrer"]),
            _pick(self._detail, _detail_number(events)),
        ]
        table = pl.DataFrame([piece.alias(str(number)) for number, piece in enumerate(pieces)])
        value = table.select(
            pl.concat_str(pl.lit('{"event_id":"'), *table.columns, pl.lit("}")).cast(pl.Binary).alias("value")
        )["value"]
        record = self._record(events, ids, session, time)
        keys = self._keys
        return Messages(record, [keys[user] for user in events["user"].tolist()], value.to_list())

    def _record(self, events: Events, ids: pl.Series, session: pl.Series, time: pl.Series) -> pl.DataFrame:
        """Return the events' fields as sent, with nulls for what a field does not hold."""
        text, size = self._text, len(events)
        empty = pl.Series([""]).new_from_index(0, size)
        columns = {
            "event_id": ids,
            "event_type": _pick(text["event_type"], events["kind"]),
            "event_time": time.cast(pl.Datetime("us", "UTC")),
            "session_id": session,
            "quantity": pl.Series(np.where(events["quantity"] > 0, events["quantity"].astype(np.int64), -1)),
            "search_query": _pick(text["search_query"], np.maximum(_detail_number(events) - _QUERY_DETAILS, -1) + 1),
            "element_id": _pick(text["element_id"], np.minimum(_detail_number(events), _QUERY_DETAILS)),
            "referrer": _pick(text["referrer"], events["referrer"]),
            "page_url": _pick(text["page_url"], events["page"]),
            "fault": empty,
            "malformed_as": empty,
        }
        short = _is_short(events)
        columns["ip_address"] = _pick(text["ip_address"], np.where(short, len(self._keys), events["user"]))
        for name in ("user_id", "country"):
            columns[name] = _pick(text[name], events["user"])
        for name in ("item_id", "item_category", "price", "currency"):
            columns[name] = _pick(text[name], events["item"] + 1)
        columns["device_type"] = _pick(text["device_type"], events["device"])
        for name in ("device_name", "viewport_size", "user_agent"):
            columns[name] = _pick(text[name], np.where(short, len(DEVICES), events["device"]))
        for name in ("experiment_name", "experiment_variation"):
            columns[name] = _pick(text[name], events["arm"])
        frame = pl.DataFrame({name: columns[name] for name in RECORD_TYPES})
        return frame.with_columns(pl.col("quantity").replace(-1, None))


# Details of the kinds without a query come first, then one for each search query.
_QUERY_DETAILS: Final = len(KINDS) * VARIANTS


def _detail_number(events: Events) -> NDArray[np.int64]:
    plain = events["kind"].astype(np.int64) * VARIANTS + (events["noise"] >> np.uint64(60)).astype(np.int64)
    query = _QUERY_DETAILS + events["page"].astype(np.int64) - journeys.QUERY_PAGES
    return np.where(events["kind"] == journeys.SEARCH, query, plain)


def _is_short(events: Events) -> NDArray[np.bool_]:
    """Tell which events leave out what their page view has already told about the device."""
    short: NDArray[np.bool_] = (events["kind"] != journeys.PAGE_VIEW) & (events["kind"] != journeys.LOGIN)
    return short


def _pick(table: pl.Series, index: NDArray[np.integer]) -> pl.Series:
    # `Series.gather` makes and optimizes a query for each call: twice the time for the small batches of a live stream.
    return table[index.astype(np.uint32)]
