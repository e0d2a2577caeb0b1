"""The suite's own tools: a count that cannot find a loss, or a proxy that holds nothing, would prove nothing."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import polars as pl
import pytest

from tests.chaos.counts import Known, compare, ranges
from tests.chaos.faults import FAULTS, plan
from tests.chaos.http_requests import Request, read_request
from tests.chaos.load import Record
from tests.chaos.proxy import Place, Proxy, Trap
from tests.chaos.report import summary
from tests.chaos.rounds import Round
from tests.chaos.workers import eventually

SENT = [(0, 0, 100, 0), (0, 1, 101, 0), (0, 2, 102, 1), (1, 0, 103, 0), (1, 1, 104, 0)]
INSERT = "/?query=INSERT+INTO+raw.events+FORMAT+ArrowStream"


def frame(rows: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    kinds = {"partition": pl.UInt32, "offset": pl.UInt64, "number": pl.UInt64, "bad": pl.UInt8}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def totals(rows: list[tuple[int, int, int, int]]) -> dict[str, int]:
    return {name: number for name, number in compare(frame(SENT), frame(rows)).totals().items() if number}


def test_rows_that_equal_the_record_are_right_and_later_ones_are_left_out() -> None:
    assert totals([*SENT, (0, 3, 200, 0), (1, 2, 201, 1)]) == {}


def test_each_kind_of_wrong_row_is_found() -> None:
    assert totals(SENT[1:]) == {"lost": 1}
    assert totals([*SENT, SENT[0], SENT[0]]) == {"doubled": 2}
    assert totals([*SENT[:3], (1, 0, 999, 0), SENT[4]]) == {"wrong": 1}
    assert totals([*SENT[:2], (0, 2, 102, 0), *SENT[3:]]) == {"wrong": 1}, "a bad message among the events"
    assert totals([*SENT, (0, 2, 102, 0)]) == {"doubled": 1, "wrong": 1}, "in both tables"
    record = frame(SENT).filter(pl.col("number") != 101)
    assert compare(record, frame(SENT)).totals() == {"lost": 0, "doubled": 0, "extra": 1, "wrong": 0}


def test_a_round_answers_only_for_what_is_new_and_names_the_places() -> None:
    known = Known()
    first = compare(frame(SENT), frame([*SENT[1:], SENT[1]]))
    assert known.news(first) == ({"lost": 1, "doubled": 1, "extra": 0, "wrong": 0}, ["lost: 0:0-0", "doubled: 0:1-1"])
    assert known.news(first) == ({"lost": 0, "doubled": 0, "extra": 0, "wrong": 0}, [])
    second = compare(frame(SENT), frame([*SENT[1:4], SENT[1], SENT[3]]))
    assert known.news(second)[1] == ["lost: 1:1-1", "doubled: 1:0-0"]


def test_places_are_told_in_runs() -> None:
    places = frame([(0, 1, 0, 0), (0, 2, 0, 0), (0, 4, 0, 0), (1, 5, 0, 0)])
    assert ranges(places) == "0:1-2, 0:4-4, 1:5-5"
    assert ranges(places, most=1) == "0:1-2, and 2 more runs"


def test_the_record_keeps_what_was_acknowledged() -> None:
    record = Record(2)
    for partition, offset, number, bad in SENT:
        record.delivered(partition, offset, number, bool(bad))
    assert record.heads() == [3, 2]
    assert not any(compare(record.snapshot(), frame(SENT)).totals().values())


def test_a_seed_gives_one_order_with_every_kind_equally_often() -> None:
    names = [fault.name for fault in plan(2 * len(FAULTS), seed=4)]
    assert names == [fault.name for fault in plan(2 * len(FAULTS), seed=4)]
    assert names != [fault.name for fault in plan(2 * len(FAULTS), seed=5)]
    assert sorted(names) == sorted(2 * [fault.name for fault in FAULTS])


def test_a_report_is_right_only_when_every_round_was() -> None:
    nothing = dict.fromkeys(("lost", "doubled", "extra", "wrong"), 0)
    rounds = [Round("kill", found=nothing), Round("the end", found=nothing, rows=7)]
    assert summary(rounds, nothing, seed=1, seconds=1.0)["right"]
    late = [Round("kill", found=nothing | {"lost": 3}), rounds[1]]
    assert not summary(late, nothing, seed=1, seconds=1.0)["right"], "what landed too late did not land in time"
    assert not summary([Round("kill", trouble=["it ended"], found=nothing), rounds[1]], nothing, 1, 1.0)["right"]


class Server(BaseHTTPRequestHandler):
    """Notes the body of every request that came whole."""

    protocol_version = "HTTP/1.1"
    bodies: ClassVar[list[bytes]] = []
    halves: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        (self.bodies if len(body) == length else self.halves).append(body)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    Server.bodies.clear()
    Server.halves.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    between = Proxy(server.server_address[1], http=True)
    yield between
    between.close()
    server.shutdown()
    server.server_close()


def ask(proxy: Proxy, address: str = INSERT, body: bytes = b"0123456789", seconds: float = 10.0) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=seconds)
    try:
        connection.request("POST", address, body)
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.parametrize("statement", ["INSERT INTO raw.events (a) FORMAT X", "insert into `raw`.`events` SELECT 1"])
def test_an_insert_is_known_in_the_address_and_in_the_body(statement: str) -> None:
    spaced = statement.replace(" ", "+").replace("`", "%60").encode()
    assert Request(b"POST /?query=" + spaced + b" HTTP/1.1\r\n\r\n", b"").table == "events"
    assert Request(b"POST / HTTP/1.1\r\n\r\n", statement.encode()).table == "events"
    assert Request(b"POST /?query=SELECT+1 HTTP/1.1\r\n\r\n", b"raw.events").table is None


def test_requests_come_apart_whether_their_length_is_known_or_not() -> None:
    known = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    chunked = b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    stream = io.BytesIO(known + chunked + known[:-1])
    found = [read_request(stream) for _ in range(4)]
    assert [one and one.head + one.body for one in found] == [known, chunked, known[:-1], None]


@pytest.mark.parametrize(("place", "seen"), [("request", 0), ("half", 0), ("answer", 1)])
def test_a_trap_holds_one_insert_at_its_place_and_lets_everything_else_pass(
    proxy: Proxy, place: Place, seen: int
) -> None:
    trap = proxy.set_trap(Trap(place=place))
    answers: list[bytes] = []
    asking = threading.Thread(target=lambda: answers.append(ask(proxy)))
    asking.start()
    assert trap.caught.wait(5)
    assert ask(proxy, "/?query=SELECT+1", b"other") == b"ok"
    assert ask(proxy, body=b"next") == b"ok"
    assert (Server.bodies.count(b"0123456789"), answers) == (seen, [])
    trap.release()
    asking.join(5)
    assert (Server.bodies.count(b"0123456789"), answers, trap.over.wait(5)) == (1, [b"ok"], True)


def test_a_held_insert_arrives_although_its_sender_is_gone(proxy: Proxy) -> None:
    trap = proxy.set_trap(Trap(place="half"))
    with pytest.raises(TimeoutError):
        ask(proxy, seconds=0.3)
    assert Server.bodies == []
    trap.release()
    assert trap.over.wait(5)
    assert Server.bodies == [b"0123456789"]


@pytest.mark.parametrize(("place", "whole", "half"), [("answer", 2, 0), ("half", 0, 2), ("request", 0, 0)])
def test_a_trap_that_cuts_breaks_so_many_inserts(proxy: Proxy, place: Place, whole: int, half: int) -> None:
    trap = proxy.set_trap(Trap(place=place, cuts=2))
    for _ in range(2):
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(proxy)
    assert (trap.cuts, eventually(lambda: len(Server.halves) == half, 5)) == (0, True)
    assert len(Server.bodies) == whole
    assert Server.halves == [b"01234"] * half
    assert ask(proxy, body=b"after") == b"ok"


def test_a_refusing_proxy_breaks_connections_until_it_is_healed(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as idle:
        assert ask(proxy) == b"ok"
        proxy.refuse()
        assert idle.recv(1) == b""
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(proxy)
    proxy.heal()
    assert ask(proxy) == b"ok"


def test_a_silent_proxy_loses_nothing(proxy: Proxy) -> None:
    proxy.fall_silent()
    answers: list[bytes] = []
    asking = threading.Thread(target=lambda: answers.append(ask(proxy)))
    asking.start()
    asking.join(0.3)
    assert (Server.bodies, answers) == ([], [])
    proxy.heal()
    asking.join(5)
    assert answers == [b"ok"]
