"""What a worker answers over HTTP, and what it says when it cannot listen."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from contracts.clock import ManualClock
from contracts.errors import UserError
from contracts.metrics import METRICS
from contracts.settings import Settings
from local.ports import free_ports
from streaming.ingest.endpoint import FIRST_PORT, serving
from streaming.ingest.health import STUCK_SECONDS, Health
from streaming.ingest.records import Partition
from streaming.ingest.standing import InHand, Reading, Standing

TWO = {Partition("events", 0): Reading(7, 3), Partition("events", 1): Reading(5, None)}


def get(address: str | None, accept: str = "") -> tuple[int, str]:
    request = urllib.request.Request(str(address), headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def settings(port: object, host: str = "127.0.0.1") -> Settings:
    return Settings(_env_file=None, ingest_metrics_port=port, ingest_metrics_host=host)


def open_and_close(chosen: Settings, folder: Path) -> None:
    with serving(chosen, "w", Health(folder / "w.json", ManualClock())):
        pass


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def health(tmp_path: Path, clock: ManualClock) -> Iterator[Health]:
    """A worker's health, served."""
    health = Health(tmp_path / "w.json", clock)
    with serving(settings("auto"), "w", health):
        yield health


def test_a_worker_is_ready_once_it_has_joined_and_placed_its_partitions(health: Health) -> None:
    seen = [get(f"{health.endpoint}/ready")]
    health.enter("running")
    for standing in (Standing(), Standing(joined=True, unplaced=2), Standing(joined=True, readings=TWO)):
        health.tick(standing)
        seen.append(get(f"{health.endpoint}/ready"))
    health.wait_for("ClickHouse", "refused")
    seen.append(get(f"{health.endpoint}/ready"))
    health.found("ClickHouse")
    seen.append(get(f"{health.endpoint}/ready"))
    health.enter("stopping")
    assert [*seen, get(f"{health.endpoint}/ready")] == [
        (503, "starting\n"),
        (503, "the group has not answered yet\n"),
        (503, "2 partitions wait for their first offset\n"),
        (200, "ok\n"),
        (503, "waiting for ClickHouse: refused\n"),
        (200, "ok\n"),
        (503, "stopping\n"),
    ]


def test_a_worker_is_alive_while_it_makes_turns_even_if_it_waits(health: Health, clock: ManualClock) -> None:
    health.wait_for("ClickHouse", "refused")
    for _ in range(3):
        clock.sleep(STUCK_SECONDS)
        assert get(f"{health.endpoint}/live") == (200, "ok\n")
        health.tick(Standing())
    clock.sleep(STUCK_SECONDS + 1)
    assert get(f"{health.endpoint}/live") == (503, "stuck: no turn of the loop for 181 s\n")
    health.tick(Standing())
    assert get(f"{health.endpoint}/live")[0] == 200


def test_a_wait_that_comes_and_goes_many_times_a_second_is_no_standstill(health: Health, clock: ManualClock) -> None:
    ticks = 0
    for _ in range(100):
        health.wait_for("ClickHouse", "busy")
        clock.sleep(0.4)
        health.found("ClickHouse")
        if health.is_due():
            health.tick(Standing())
            ticks += 1
    assert ticks > 30


def test_health_is_json_with_the_partitions_and_what_is_in_hand(health: Health) -> None:
    health.enter("running")
    health.tick(Standing(joined=True, readings=TWO, pauses=1), InHand(10, 4_000))
    found = json.loads(get(f"{health.endpoint}/health")[1])
    assert found["worker"] == "w"
    assert (found["live"], found["ready"], found["state"], found["lag"]) == (True, True, "running", 3)
    assert found["positions"][1] == {"topic": "events", "partition": 1, "next_offset": 5, "lag": None}
    assert found["in_hand"] == {"rows": 10, "bytes": 4_000}


def test_every_listed_metric_is_exposed_from_the_start_and_no_other(health: Health) -> None:
    health.tick(Standing(joined=True, readings=TWO))
    for accept, parse in (("", text_string_to_metric_families), ("application/openmetrics-text", parse_openmetrics)):
        families = {family.name: family for family in parse(get(f"{health.endpoint}/metrics", accept)[1])}
        assert {name: family.type for name, family in families.items()} == {
            metric.name.removesuffix("_total"): metric.kind for metric in METRICS
        }
        for metric in METRICS:
            labels = {
                frozenset(sample.labels) - {"le"} for sample in families[metric.name.removesuffix("_total")].samples
            }
            assert labels == {frozenset(metric.labels)}, metric.name


def test_another_path_says_which_there_are(health: Health) -> None:
    assert get(f"{health.endpoint}/") == (404, "not found; there are /metrics, /live, /ready, /health\n")


def test_a_busy_port_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(UserError, match=f"INGEST_METRICS_PORT.* port {port} of 127.0.0.1") as refused:
            open_and_close(settings(port), tmp_path)
    assert "\n" not in str(refused.value)


def test_an_unknown_address_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="INGEST_METRICS_HOST"):
        open_and_close(settings("auto", "256.0.0.1"), tmp_path)


def test_auto_gives_each_worker_a_port_of_its_own(tmp_path: Path) -> None:
    first, second = (Health(tmp_path / f"{name}.json", ManualClock()) for name in "ab")
    with serving(settings("auto"), "a", first), serving(settings("auto"), "b", second):
        ports = [int(str(each.endpoint).rsplit(":", 1)[1]) for each in (first, second)]
        assert FIRST_PORT <= ports[0] < ports[1]
        assert 'worker="b"' in get(f"{second.endpoint}/metrics")[1]


def test_the_port_is_free_again_when_the_worker_leaves_and_0_opens_none(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    health = Health(tmp_path / "w.json", ManualClock())
    for _ in range(2):
        with serving(settings(port), "w", health):
            assert get(f"http://127.0.0.1:{port}/live")[0] == 200
    with serving(settings(0), "w", health):
        assert health.endpoint is None
