"""A broken producer stops the worker with a message, and nothing is lost or doubled by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from clickhouse_connect.driver.client import Client

from contracts.errors import Permanent
from contracts.settings import Settings
from tests.integration.ingest_tools import (
    PARTITIONS,
    good,
    in_both,
    ingest_all,
    landed,
    make_topic,
    produce,
    worker_process,
)
from tests.patience import WAIT_SECONDS

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
MakeSettings = Callable[..., Settings]
FLOOD, RUN = 9_000, 1_500


def test_a_flood_stops_the_worker_until_the_limit_is_raised(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings(ingest_max_dead_letter_run=RUN, kafka_batch_size=1_000)
    make_topic(settings)
    sent = produce(settings, [*good(400), *([b"bad"] * FLOOD), *good(40)])
    for _ in range(PARTITIONS + 2):
        with pytest.raises(Permanent, match=r"in a row of .* cannot be events, 100% of them not_json") as stopped:
            ingest_all(settings)
        # However often a supervisor starts it again, each partition stops at the same place.
        assert 0 < len(landed(clickhouse, settings, "raw.dead_letters")) <= PARTITIONS * RUN
    assert "INGEST_MAX_DEAD_LETTER_RUN" in str(stopped.value)
    ingest_all(settings.model_copy(update={"ingest_max_dead_letter_run": 0}))
    assert in_both(clickhouse, settings) == sent
    assert len(landed(clickhouse, settings, "raw.dead_letters")) == FLOOD


def test_the_program_says_it_in_one_line(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    make_topic(settings)
    produce(settings, [b"\x00\x00\x00\x00\x07binary"] * 50)
    worker = worker_process(settings, "--until-caught-up", INGEST_MAX_DEAD_LETTER_RUN="10")
    output, _ = worker.communicate(timeout=WAIT_SECONDS)
    assert worker.returncode == 1
    last = output.strip().splitlines()[-1]
    assert last.startswith("millrace: ")
    assert "of them unknown_envelope (such as: the value looks like a schema registry's binary format" in last
    assert "Traceback" not in output


def test_one_bad_event_among_a_hundred_thousand_costs_one_row(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings(kafka_flush_interval=1)
    make_topic(settings)
    values = good(1_000) * 100
    values[54_321] = b'{"event_id":"half'
    sent = produce(settings, values)
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sent
    assert len(landed(clickhouse, settings, "raw.dead_letters")) == 1
