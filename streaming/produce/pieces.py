"""The prepared pieces of an event: JSON text by number, and the same as plain text for the record."""

from __future__ import annotations

from typing import Final

import msgspec
import polars as pl

from streaming.produce.catalogue import CATEGORIES, CURRENCY
from streaming.produce.experiments import ARMS
from streaming.produce.journeys import KINDS, REFERRERS
from streaming.produce.population import DEVICES, Device
from streaming.produce.simulator import Shop

SITE: Final = "https://shop.example.com"
# Each kind of event comes with one of so many details (where was clicked, how far was scrolled).
VARIANTS: Final = 16


def device_fields(device: Device, *, full: bool) -> str:
    """Return a device's fields as JSON, after the closing quote of the session id."""
    fields = {"device_type": device.type}
    if full:
        fields |= {
            "device_name": device.name,
            "viewport_size": device.viewport,
            "user_agent": device.user_agent,
        }
    return '"' + as_fields(**fields)


def as_fields(**fields: str) -> str:
    """Return `,"name":"value"` for each field."""
    return "," + msgspec.json.encode(fields).decode()[1:-1]


def element(kind: str, variant: int) -> str | None:
    """Return the id of what was clicked or hovered over; None for other kinds."""
    if kind == "click":
        return f"button-{variant:02d}"
    return f"tile-{variant:02d}" if kind == "hover" else None


def _properties(kind: str, variant: int) -> dict[str, int | str]:
    """Return the small object that this kind of event carries."""
    choices: dict[str, dict[str, int | str]] = {
        "page_view": {"load_ms": 180 + 35 * variant},
        "scroll": {"depth": 5 * (variant + 5)},
        "hover": {"ms": 200 + 90 * variant},
        "click": {"x": 40 + 17 * variant, "y": 90 + 31 * variant},
        "share": {"channel": ("email", "whatsapp", "x", "link")[variant % 4]},
        "login": {"method": ("password", "passkey", "google", "apple")[variant % 4]},
        "purchase": {"payment": ("card", "paypal", "invoice", "apple_pay")[variant % 4]},
        "add_to_cart": {"from": ("product", "product", "wishlist", "related")[variant % 4]},
    }
    return choices.get(kind, {})


def details(queries: tuple[str, ...]) -> list[str]:
    """Return the ends of events: `VARIANTS` for each kind, then one for each search query."""
    pieces = []
    for kind in KINDS:
        for variant in range(VARIANTS):
            name = element(kind, variant)
            piece = as_fields(element_id=name) if name else ""
            pieces.append(piece + f',"properties":{msgspec.json.encode(_properties(kind, variant)).decode()}')
    return pieces + [as_fields(search_query=query) for query in queries]


def arrival(arm: int, referrer: str) -> str:
    """Return the fields of a session's first event: where it came from, which variation it got."""
    experiment, variation = ARMS[arm]
    piece = as_fields(referrer=referrer) if referrer else ""
    if experiment is None:
        return piece
    return piece + as_fields(experiment_name=experiment.name, experiment_variation=variation.name)


def _urls(shop: Shop) -> list[str]:
    fixed = ["/", "/cart", "/checkout", "/account"]
    categories = [f"/c/{name}" for name, _, _ in CATEGORIES]
    queries = [f"/search?q={query.replace(' ', '+')}" for query in shop.catalogue.queries]
    return [SITE + path for path in (*fixed, *categories, *queries, *(f"/p/{i}" for i in shop.catalogue.item_ids))]


def plain_columns(shop: Shop) -> dict[str, pl.Series]:
    """Return the record's text by number, as the JSON pieces hold it; null where a field is absent."""
    users, items = shop.population, shop.catalogue
    details = [element(kind, variant) for kind in KINDS for variant in range(VARIANTS)]
    columns: dict[str, list[str | None]] = {
        "event_type": list(KINDS),
        "user_id": list(users.user_ids),
        "country": list(users.country),
        "ip_address": [*users.ip_address, None],
        "page_url": list(_urls(shop)),
        "item_id": [None, *items.item_ids],
        "item_category": [None, *(CATEGORIES[category][0] for category in items.category)],
        "price": [None, *(str(price) for price in items.prices)],
        "currency": [None, *(CURRENCY for _ in items.prices)],
        "device_type": [device.type for device in DEVICES],
        "device_name": [*(device.name for device in DEVICES), None],
        "viewport_size": [*(device.viewport for device in DEVICES), None],
        "user_agent": [*(device.user_agent for device in DEVICES), None],
        "referrer": [referrer or None for referrer in REFERRERS],
        "search_query": [None, *items.queries],
        "element_id": [*details, None],
        "experiment_name": [experiment.name if experiment else None for experiment, _ in ARMS],
        "experiment_variation": [variation.name if experiment else None for experiment, variation in ARMS],
    }
    return {name: pl.Series(name, values, dtype=pl.String) for name, values in columns.items()}
