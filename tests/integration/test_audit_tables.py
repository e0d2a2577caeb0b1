"""The audit on planted rows in a real ClickHouse: what it finds is what was planted, however large the numbers."""

from __future__ import annotations

from collections import Counter

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from audit.audit import audit
from audit.ledger import EVENTS
from audit.narrow import Findings
from audit.report import SHOWN_RANGES
from contracts.names import RAW_DEAD_LETTERS
from streaming.ingest import offsets as resume
from tests.integration.audit_tools import TOPIC, numbers, plant, planted

pytestmark = pytest.mark.clickhouse
HUGE = 2**63 - 5_000

lists = st.lists(st.integers(0, 2_999), max_size=4)


def test_a_contiguous_partition_is_complete(clickhouse: Client) -> None:
    plant(clickhouse, [*range(100, 150), *range(151, 200)])
    plant(clickhouse, [150], RAW_DEAD_LETTERS)
    found = planted(clickhouse)
    assert (found.verdict, found.first, found.mark, found.events, found.letters) == ("complete", 100, 199, 99, 1)
    assert (found.expected, found.lag) == (100, None)


def test_nothing_at_all_is_complete(clickhouse: Client) -> None:
    report = audit(clickhouse, [TOPIC], None)
    assert (report.verdict, report.partitions, report.unknown_topics) == ("complete", (), (TOPIC,))


@pytest.mark.parametrize("base", [0, HUGE])
def test_one_lost_and_one_doubled_show_although_the_count_agrees(clickhouse: Client, base: int) -> None:
    plant(clickhouse, (base + each for each in (*range(300), 500, *range(301, 1_000))))
    found = planted(clickhouse)
    assert found.events == found.expected
    assert (numbers(found.unchecked.ranges), numbers(found.doubled.ranges)) == ([base + 300], [base + 500])
    assert found.verdict == "broken"


def test_two_lost_and_two_doubled_show_although_count_and_sum_agree(clickhouse: Client) -> None:
    plant(clickhouse, [*range(10), 11, 11, 12, 12, *range(14, 100)])
    found = planted(clickhouse)
    assert (found.events, found.verdict) == (found.expected, "broken")
    assert (numbers(found.unchecked.ranges), numbers(found.doubled.ranges)) == ([10, 13], [11, 12])


def test_only_a_partition_whose_sums_are_wrong_is_looked_into(
    clickhouse: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    monkeypatch.setattr("audit.audit.look_closer", lambda client, place, held: looked.append(place[1]) or Findings())
    plant(clickhouse, range(50))
    plant(clickhouse, [0, 2], partition=1)
    plant(clickhouse, range(2**63 - 50, 2**63), partition=2)
    audit(clickhouse, [TOPIC], None)
    assert looked == [1]


def test_an_offset_in_both_tables_shows(clickhouse: Client) -> None:
    plant(clickhouse, range(10))
    plant(clickhouse, [3], RAW_DEAD_LETTERS)
    found = planted(clickhouse)
    assert (numbers(found.in_both.ranges), found.doubled.total, found.surplus) == ([3], 0, 1)
    assert found.verdict == "broken"


def test_letters_of_a_batch_whose_events_are_on_their_way_are_no_fault(clickhouse: Client) -> None:
    plant(clickhouse, range(10))
    plant(clickhouse, [10, 11, 14], RAW_DEAD_LETTERS)
    found = planted(clickhouse)
    assert (found.verdict, found.mark, found.done, found.in_hand) == ("complete", 9, 11, 1)


def test_a_letter_written_twice_above_the_mark_shows(clickhouse: Client) -> None:
    plant(clickhouse, range(10))
    plant(clickhouse, [10, 11, 11, 12], RAW_DEAD_LETTERS)
    found = planted(clickhouse)
    assert (numbers(found.doubled.ranges), found.done, found.verdict) == ([11], 12, "broken")


def test_letters_alone_are_complete(clickhouse: Client) -> None:
    plant(clickhouse, range(5, 8), RAW_DEAD_LETTERS)
    found = planted(clickhouse)
    assert (found.verdict, found.mark, found.done, found.letters, found.expected) == ("complete", None, 7, 0, 0)


def test_topics_and_partitions_are_judged_apart(clickhouse: Client) -> None:
    plant(clickhouse, range(10))
    plant(clickhouse, [0, 2], partition=3)
    plant(clickhouse, [0, 1, 1], topic="other.topic_1")
    report = audit(clickhouse, [TOPIC, "other.topic_1"], None)
    found = {(each.topic, each.partition): each.verdict for each in report.partitions}
    assert found == {(TOPIC, 0): "complete", (TOPIC, 3): "unproven", ("other.topic_1", 0): "broken"}
    assert report.verdict == "broken"


def test_a_thousand_holes_are_counted_and_the_first_are_shown(clickhouse: Client) -> None:
    plant(clickhouse, range(0, 2_001, 2))
    found = planted(clickhouse)
    assert (found.unchecked.total, found.unchecked.range_count) == (1_000, 1_000)
    assert numbers(found.unchecked.ranges) == list(range(1, 2 * SHOWN_RANGES, 2))


@pytest.mark.parametrize("base", [0, 7, HUGE])
@example_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(lost=lists, again=lists, letters=lists, both=lists)
def test_whatever_is_planted_is_found(
    clickhouse: Client, base: int, lost: list[int], again: list[int], letters: list[int], both: list[int]
) -> None:
    for table in ("raw.events", RAW_DEAD_LETTERS):
        clickhouse.command(f"TRUNCATE TABLE {table}")
    kept = [each for each in range(3_000) if each not in {*lost, *letters}]
    events, refused = Counter([*kept, *again, 3_000]), Counter([*letters, *both])
    plant(clickhouse, (base + each for each in events.elements()))
    plant(clickhouse, (base + each for each in refused.elements()), RAW_DEAD_LETTERS)
    found = planted(clickhouse)
    there = events | refused
    first = min(there)
    assert numbers(found.unchecked.ranges) == [base + each for each in range(first, 3_000) if each not in there]
    assert numbers(found.doubled.ranges) == sorted(base + each for each in there if there[each] > 1)
    assert numbers(found.in_both.ranges) == sorted(base + each for each in events if each in refused)


@pytest.mark.parametrize("query", [EVENTS, resume._MARKS], ids=["audit", "resume"])
def test_the_projection_answers_so_that_the_cost_does_not_follow_the_rows(clickhouse: Client, query: str) -> None:
    for start in range(0, 30_000, 10_000):
        plant(clickhouse, range(start, start + 10_000))
    plan = clickhouse.query(f"EXPLAIN {query}", parameters={"topic": TOPIC}).result_columns[0]
    assert any("ReadFromMergeTree (by_day)" in line for line in plan)
    read = clickhouse.query(query, parameters={"topic": TOPIC}).summary["read_rows"]
    assert int(read) <= 3


def test_wide_holes_between_many_windows_are_found_exactly(clickhouse: Client) -> None:
    clickhouse.command(
        "INSERT INTO raw.events (kafka_topic, kafka_partition, kafka_offset) "
        f"SELECT '{TOPIC}', 0, number FROM numbers(9000000) "
        "WHERE number NOT BETWEEN 1000000 AND 1999999 AND number != 5000000"
    )
    plant(clickhouse, [8_000_000])
    found = planted(clickhouse)
    assert [tuple(each) for each in found.unchecked.ranges] == [(1_000_000, 1_999_999), (5_000_000, 5_000_000)]
    assert numbers(found.doubled.ranges) == [8_000_000]
