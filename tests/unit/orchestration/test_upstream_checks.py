"""All there, fresh, held back: verdicts from plain figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from audit.report import OffsetRange, Offsets, PartitionAudit, Report
from audit.standing import Standing
from contracts.settings import Settings
from orchestration.checks.catalogue import DEAD_LETTERS, RAW_FRESH
from orchestration.checks.dead_letters import letters_verdict
from orchestration.checks.freshness import Models, marts_verdict, raw_verdict, silence_verdict
from orchestration.checks.offsets import offsets_verdict
from orchestration.checks.repeats import repeats_verdict
from orchestration.checks.sales_by_hop import Hop, Reckoning, hops_verdict
from orchestration.checks.upstream import explanation
from orchestration.observed import Landed

NOW = datetime(2026, 5, 4, 13, 20, tzinfo=UTC)
SETTINGS = Settings(_env_file=None)
ERROR = dg.AssetCheckSeverity.ERROR


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def report(*partitions: PartitionAudit) -> Report:
    return Report(NOW, 0.1, "asked", ("t",), partitions)


def test_an_audit_without_a_fault_passes_with_a_row_for_each_partition() -> None:
    result = offsets_verdict(report(PartitionAudit("t", 0, 0, 99, 99, events=90, letters=10, lag=3)))
    assert result.passed
    assert result.metadata["lag"].value == 3
    assert result.metadata["sample_size"].value == 100
    assert "| t:0 | 90 | 10 | 0 | 0 | 0 | 3 | complete |" in result.metadata["offending"].value


def test_a_lost_offset_fails_as_an_error_that_names_the_partition() -> None:
    lost = PartitionAudit("t", 1, 0, 99, 99, events=99, missing=Offsets.of([OffsetRange(7, 7)]), lag=0)
    result = offsets_verdict(report(PartitionAudit("t", 0, 0, 9, 9, events=10, lag=0), lost))
    assert not result.passed
    assert result.severity is ERROR
    assert result.metadata["offending_items"].value == ["t:1"]
    assert result.metadata["lost"].value == 1
    assert "t:1" in result.description


def test_what_cannot_be_proven_any_more_is_no_alarm() -> None:
    gone = PartitionAudit("t", 0, 0, 99, 99, events=99, gone=Offsets.of([OffsetRange(7, 7)]), lag=0)
    result = offsets_verdict(report(gone))
    assert result.passed
    assert result.metadata["verdict"].value == "unproven"


def minutes(letters: int, events: int) -> pl.DataFrame:
    return pl.DataFrame({"minute": [ago(60)], "events": [events], "letters": [letters]})


@pytest.mark.parametrize(
    ("letters", "events", "passed"), [(9, 0, True), (10, 900, False), (10, 1000, True), (0, 0, True)]
)
def test_dead_letters_fail_by_share_and_from_ten_on(letters: int, events: int, passed: bool) -> None:
    reasons = [("not_json", letters, "line|1", "t")] if letters else []
    result = letters_verdict(minutes(letters, events), reasons, NOW, SETTINGS)
    assert result.passed is passed
    assert result.metadata["offending_items"].value == ([] if passed else ["not_json"])
    assert len(result.metadata["chart"].value["times"]) == 1


@pytest.mark.parametrize(("repeats", "passed"), [(0, True), (50, True), (51, False)])
def test_repeats_fail_by_their_share(repeats: int, passed: bool) -> None:
    result = repeats_verdict([("click", 1000, repeats)], NOW, SETTINGS)
    assert result.passed is passed
    assert result.metadata["observed"].value == repeats / 1000


def test_few_events_with_a_repeat_are_no_sign() -> None:
    assert repeats_verdict([("click", 20, 19)], NOW, SETTINGS).passed


def reckoning(staging: int, marts: int) -> Reckoning:
    hops = (Hop("staging.stg_events", staging, Decimal(staging)), Hop("marts.fct_item_hourly", marts, Decimal(marts)))
    return Reckoning(NOW, Hop("folded", 100, Decimal(100)), hops, Hop("raw.events", 103, Decimal(103)))


@pytest.mark.parametrize(
    ("staging", "marts", "wrong"), [(103, 101, []), (103, 99, [1]), (103, 104, [1]), (90, 100, [0])]
)
def test_each_hop_lies_between_what_was_folded_in_and_what_landed(staging: int, marts: int, wrong: list[int]) -> None:
    result = hops_verdict(reckoning(staging, marts))
    names = ["staging.stg_events", "marts.fct_item_hourly"]
    assert result.passed is not bool(wrong)
    assert result.metadata["offending_items"].value == [names[place] for place in wrong]


def test_revenue_that_differs_is_seen_where_the_number_of_sales_agrees() -> None:
    odd = Hop("marts.fct_item_hourly", 100, Decimal("99.99"))
    found = Reckoning(NOW, Hop("folded", 100, Decimal(100)), (odd,), Hop("raw.events", 100, Decimal(100)))
    assert not hops_verdict(found).passed


RAW = Landed({"t": {0: 10}}, 10, 0, ago(5), None, ago(90))


@pytest.mark.parametrize(("seconds", "passed"), [(599, True), (601, False)])
def test_silence_is_judged_by_kafkas_newest_message(seconds: float, passed: bool) -> None:
    kafka = Standing({"t": {0: 10}}, {"t": ago(seconds)}, None)
    assert silence_verdict(kafka, RAW, NOW, SETTINGS).passed is passed


def test_a_broker_that_does_not_tell_is_judged_by_what_landed_and_an_empty_one_passes() -> None:
    told = silence_verdict(Standing({"t": {0: 10}}, {}, None), RAW, NOW, SETTINGS)
    assert "5 s old" in told.description
    nothing = Landed({}, 0, 0, None, None, None)
    assert "no message yet" in silence_verdict(Standing({}, {}, None), nothing, NOW, SETTINGS).description


def test_waiting_messages_fail_with_their_partitions_and_both_times_of_the_hop() -> None:
    result = raw_verdict({("t", 3): 12}, RAW, NOW, SETTINGS)
    assert not result.passed
    assert result.severity is ERROR
    assert result.metadata["offending_items"].value == ["t:3"]
    assert "| raw | 2026-05-04 13:19:55 | 5 s | 2026-05-04 13:18:30 | 1 min |" in result.metadata["hops"].value
    assert raw_verdict({}, RAW, NOW, SETTINGS).passed


def test_a_model_that_is_behind_is_named() -> None:
    result = marts_verdict(Models({"int_item": 7, "int_user": 0}, ago(400), ago(500)), RAW, NOW, SETTINGS)
    assert not result.passed
    assert result.metadata["offending_items"].value == ["int_item"]
    assert marts_verdict(Models({"int_item": 0}, ago(4), None), RAW, NOW, SETTINGS).passed
    assert "not been built" in marts_verdict(Models({}, None, None), RAW, NOW, SETTINGS).description


def test_only_fresh_failures_upstream_hold_an_alert_back() -> None:
    def record(status: Status, seconds: float) -> SimpleNamespace:
        return SimpleNamespace(status=status, create_timestamp=ago(seconds).timestamp())

    failing = {RAW_FRESH.key: record(Status.FAILED, 30), DEAD_LETTERS.key: record(Status.SUCCEEDED, 30)}
    assert explanation(failing, NOW) == "raw_is_fresh fails upstream, which may explain it."
    assert explanation(failing | {DEAD_LETTERS.key: record(Status.FAILED, 1)}, NOW).startswith(
        "dead_letter_share and raw_is_fresh fail upstream"
    )
    assert explanation({RAW_FRESH.key: record(Status.FAILED, 301)}, NOW) == ""
    assert explanation({RAW_FRESH.key: record(Status.PLANNED, 1)}, NOW) == ""
