"""Real logs as the events that `millrace replay` makes of them, for the tests of the marts."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from local.paths import ROOT
from streaming.produce.replay.convert import convert
from streaming.produce.replay.mapping import load_mapping
from streaming.produce.replay.read import read_rows

# Not all of these logs may ship with the project; they lie beside it, or where the variable says.
DATA = Path(os.environ.get("MILLRACE_DATA") or ROOT.parent / "shared" / "data")
FILES = {
    "online-retail": "online-retail-2010-12-to-2011-05.csv.gz",
    "shop-clickstream": "shop-clickstream.csv.gz",
    "ecom-synthetic": "ecom-synthetic.csv.gz",
    "apache-access": "apache-access.log.gz",
}
_TEXTS = (
    *("session_id", "item_id", "item_category", "price", "experiment_name", "experiment_variation", "device_type"),
    *("country", "page_url", "referrer", "user_agent", "ip_address", "search_query"),
)


def log_events(name: str) -> pl.DataFrame:
    """Return the events of a log with every column that the marts read; skips where the file is not there."""
    path, mapping = DATA / FILES[name], load_mapping(name)
    shipped = ROOT / "samples" / f"{name}{''.join(path.suffixes[-2:])}"
    path = path if path.exists() else shipped
    if not path.exists():
        pytest.skip(f"{path.name} is not in {DATA}; MILLRACE_DATA names another folder")
    events = convert(read_rows(path, mapping), mapping, name).events
    missing = [pl.lit("").alias(column) for column in _TEXTS if column not in events.columns]
    if "quantity" not in events.columns:
        missing.append(pl.lit(None, pl.Int64).alias("quantity"))
    names = ("event_id", "event_type", "event_time", "user_id", *_TEXTS, "quantity")
    filled = events.with_columns(*missing).with_columns(pl.col(_TEXTS).fill_null(""))
    return filled.select(*names, kafka_timestamp=pl.col("event_time"))
