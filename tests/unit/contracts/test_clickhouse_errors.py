"""What ClickHouse and the way to it say becomes one line for a person, with the code and what to do."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from contracts.clickhouse import mapped_errors, server_code
from contracts.errors import MillraceError, Permanent, RetryLater

ANSWER = (
    "Received ClickHouse exception, code: {code}, server response: Code: {code}. DB::Exception: {words} "
    "(version 26.7.3.1 (official build)) (for url http://localhost:8123)"
)
AWAY = "Error HTTPConnectionPool(host='db', port=8123): Max retries exceeded with url: /?query_id=1 (Caused by {why})"


def mapped(error: Exception) -> MillraceError:
    with pytest.raises(MillraceError) as raised, mapped_errors():
        raise error
    return raised.value


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (60, Permanent, "ClickHouse refused (code 60): No. (`millrace migrate` makes the tables of raw and ops"),
        (516, Permanent, "ClickHouse refused (code 516): No. (look at CLICKHOUSE_USER and CLICKHOUSE_PASSWORD)"),
        (497, Permanent, "ClickHouse refused (code 497): No. (docs/security.md says which role may do what)"),
        (62, Permanent, "ClickHouse refused (code 62): No."),
        (252, RetryLater, "ClickHouse is busy (code 252): No."),
    ],
)
def test_an_answer_keeps_the_servers_words_and_its_code(code: int, kind: type[Exception], said: str) -> None:
    error = mapped(DatabaseError(ANSWER.format(code=code, words="No.")))
    assert isinstance(error, kind)
    assert str(error).startswith(said)
    assert server_code(error) == code


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("NewConnectionError('[Errno 111] Connection refused')", "nothing listens there"),
        ("NameResolutionError(\"Failed to resolve 'db'\")", "there is no host of that name"),
        ("ConnectTimeoutError('Connection to db timed out.')", "it does not answer in time"),
    ],
)
def test_a_server_that_is_away_is_named_by_its_address_and_the_reason(why: str, said: str) -> None:
    error = mapped(OperationalError(AWAY.format(why=why)))
    assert str(error) == f"ClickHouse cannot be reached at db:8123: {said}"
    assert server_code(error) is None
