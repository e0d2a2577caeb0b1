"""HTTPS to ClickHouse, and what the ingest user may do.

ClickHouse's library opens no HTTPS listener of its own, so a proxy that ends TLS stands in front of the real
server's HTTP port.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from pydantic import SecretStr

from cli.main import run
from contracts.clickhouse import connect, server_code
from contracts.names import ROLE_INGEST
from contracts.settings import Settings
from local.clickhouse.config import passwords
from tests.integration.ingest_tools import good, in_both, ingest_all, make_topic, produce
from tests.secured_kafka import Certificates
from tests.tls_proxy import tls_proxy

pytestmark = [pytest.mark.clickhouse]
_NOT_ENOUGH_PRIVILEGES = 497


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def https_port(clickhouse_server: Settings, certificates: Certificates) -> Iterator[int]:
    with tls_proxy(clickhouse_server.clickhouse_port, certificates.server) as port:
        yield port


@pytest.mark.kafka
def test_a_worker_writes_over_https(
    clickhouse: Client, make_settings: Callable[..., Settings], https_port: int, certificates: Certificates
) -> None:
    settings = make_settings(clickhouse_port=https_port, clickhouse_secure=True, clickhouse_ca_file=certificates.ca)
    make_topic(settings)
    sent = produce(settings, [*good(20), b"bad"])
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sent


def wrong_authority(certificates: Certificates, https: int, _: int) -> dict[str, str]:
    ca = str(certificates.other_ca)
    return {"CLICKHOUSE_PORT": str(https), "CLICKHOUSE_SECURE": "true", "CLICKHOUSE_CA_FILE": ca}


def authority_not_named(certificates: Certificates, https: int, _: int) -> dict[str, str]:
    return {"CLICKHOUSE_PORT": str(https), "CLICKHOUSE_SECURE": "true"}


def no_certificate_in_the_file(certificates: Certificates, https: int, _: int) -> dict[str, str]:
    key = str(certificates.client_key)
    return {"CLICKHOUSE_PORT": str(https), "CLICKHOUSE_SECURE": "true", "CLICKHOUSE_CA_FILE": key}


def plain_to_tls(_: Certificates, https: int, __: int) -> dict[str, str]:
    return {"CLICKHOUSE_PORT": str(https)}


def tls_to_plain(_: Certificates, __: int, http: int) -> dict[str, str]:
    return {"CLICKHOUSE_PORT": str(http), "CLICKHOUSE_SECURE": "true"}


@pytest.mark.parametrize(
    ("mistake", "setting"),
    [
        (wrong_authority, "CLICKHOUSE_CA_FILE"),
        (authority_not_named, "CLICKHOUSE_CA_FILE"),
        (no_certificate_in_the_file, "CLICKHOUSE_CA_FILE"),
        (plain_to_tls, "CLICKHOUSE_SECURE"),
        (tls_to_plain, "CLICKHOUSE_SECURE"),
    ],
)
@pytest.mark.parametrize("name", ["ingest", "doctor"])
def test_a_mistake_is_one_line_that_names_the_setting(
    name: str, mistake: Callable[..., dict[str, str]], setting: str, millrace: Callable[..., tuple[int, str]]
) -> None:
    code, text = millrace(name, mistake)
    lines = [line for line in text.splitlines() if line.startswith(("millrace: ", "FAIL  ClickHouse"))]
    assert (code, len(lines), setting in lines[0], "Traceback" in text) == (1, 1, True, False), text
    assert "hunter2" not in text


@pytest.fixture
def plain_port() -> Iterator[int]:
    """A port that speaks HTTP and no TLS.

    Not ClickHouse's own: the server of the library ends when a client greets it with TLS and hangs up at once.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def millrace(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Runs a command with a mistake's settings; returns its exit code and all it printed."""
    places = tuple(request.getfixturevalue(name) for name in ("certificates", "https_port", "plain_port"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def command(name: str, mistake: Callable[..., dict[str, str]]) -> tuple[int, str]:
        own = {"CLICKHOUSE_HOST": "localhost", "CLICKHOUSE_PASSWORD": "hunter2", "MILLRACE_HOME": str(tmp_path)}
        for variable, value in (own | mistake(*places)).items():
            monkeypatch.setenv(variable, value)
        code = run([name])
        said = capfd.readouterr()
        return code, said.err + said.out

    yield command
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def ingest_user(clickhouse: Client, clickhouse_server: Settings) -> Client:
    """A client as the local stack's ingest user, from the real server's users file."""
    secret = passwords(clickhouse_server.millrace_home / "server")[ROLE_INGEST]
    changes = {"clickhouse_user": ROLE_INGEST, "clickhouse_password": SecretStr(secret)}
    return connect(clickhouse_server.model_copy(update=changes))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT user_id FROM raw.events",
        "SELECT * FROM raw.events",
        "SELECT payload FROM raw.dead_letters",
        "SELECT model FROM ops.model_watermarks",
        "INSERT INTO ops.migrations (version, name, checksum) VALUES (99, 'x', 'x')",
        "INSERT INTO ops.model_watermarks (model, kafka_topic, kafka_partition, kafka_offset) VALUES ('m', 't', 0, 1)",
        "CREATE TABLE raw.mine (a Int8) ENGINE = Memory",
        "CREATE DATABASE mine",
        "DROP TABLE raw.events",
        "TRUNCATE TABLE raw.dead_letters",
        "ALTER TABLE raw.events DELETE WHERE 1",
        "ALTER TABLE raw.events ADD COLUMN mine Int8",
        "DELETE FROM raw.events WHERE 1",
        "OPTIMIZE TABLE raw.events",
        "RENAME TABLE raw.events TO raw.mine",
        "SYSTEM SHUTDOWN",
        "CREATE USER mine",
        f"GRANT SELECT ON *.* TO {ROLE_INGEST}",
    ],
)
def test_the_ingest_user_is_refused(statement: str, ingest_user: Client) -> None:
    with pytest.raises(DatabaseError) as refused:
        ingest_user.command(statement)
    assert server_code(refused.value) == _NOT_ENOUGH_PRIVILEGES


def test_the_ingest_user_has_no_rights_but_to_insert_into_raw_and_read_where_rows_came_from(
    ingest_user: Client,
) -> None:
    grants = [row[0] for row in ingest_user.query(f"SHOW GRANTS FOR {ROLE_INGEST}").result_rows]
    assert len(grants) >= 2
    for grant in grants:
        rights, table = grant.removeprefix("GRANT ").removesuffix(f" TO {ROLE_INGEST}").split(" ON ")
        # Its own running inserts, which a new owner of a partition waits for.
        assert table.startswith("raw.") or (rights, table) == ("SELECT", "system.processes"), grant
        assert {right.split("(")[0] for right in re.sub(r"\(.*?\)", "", rights).split(", ")} <= {"INSERT", "SELECT"}
        if table in {"raw.events", "raw.dead_letters"}:
            assert rights == "INSERT, SELECT(kafka_offset, kafka_partition, kafka_topic)"
