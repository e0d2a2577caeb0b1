"""The one boundary to ClickHouse: how to connect, and what its errors ask of the caller."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from contracts.errors import Permanent, RetryLater
from contracts.settings import Settings
from contracts.wire import speaks_tls

# Server errors that pass by themselves: time-outs, too many queries or parts, memory or disk short for
# now, a table read-only while its replica recovers, a shard that is away, an insert whose fate is unknown.
_PASSING: Final = frozenset({3, 159, 164, 201, 202, 209, 210, 225, 236, 241, 242, 243, 252, 279, 319, 394, 425, 999})
# For the Distributed tables of a cluster: an insert is stored when it is answered, and where two of them meet in a
# join or IN, what one of them holds is sent to every shard.
_ON_CLUSTER: Final = {
    "distributed_foreground_insert": 1,
    "distributed_product_mode": "global",
}
# What the client logs about a lost connection, the exception says again; the caller decides who hears it.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
_POOL: Final = re.compile(r"ConnectionPool\(host='([^']*)', port=(\d+)\)")
_REASONS: Final = {
    "Connection refused": "nothing listens there",
    "Failed to resolve": "there is no host of that name",
    "timed out": "it does not answer in time",
    "Network is unreachable": "there is no network to it",
    "No route to host": "there is no network to it",
    "Connection reset by peer": "it ended the connection",
    "without response": "it ended the connection",
}
# What stands around the server's own words: the client's, and the server's version.
_NOISE: Final = re.compile(
    r"Received ClickHouse exception, code: \d+, server response: |\bCode: \d+\. |DB::Exception: "
    r"|\(version [^()]*(\([^()]*\))?\)|\(for url [^)]*\)"
)
_NO_TABLE: Final = "`millrace migrate` makes the tables of raw and ops, and a run of the marts those of marts"
_HINTS: Final = {
    **dict.fromkeys((60, 81), _NO_TABLE),
    **dict.fromkeys((192, 193, 194, 516), "look at CLICKHOUSE_USER and CLICKHOUSE_PASSWORD"),
    497: "docs/security.md says which role may do what",
}
_CODE = re.compile(r"\b[Cc]ode:? (\d+)")


def connect(settings: Settings, **options: Any) -> Client:
    """Return a client for `settings`' server and user; `options` go to clickhouse-connect.

    Raises:
        RetryLater: the server cannot be reached or is starting.
        Permanent: the server refused the user or the settings, or the connection cannot work with them.
    """
    # One session per client would serialise threads and fail on overlap; nothing here needs sessions.
    defaults: dict[str, Any] = {"autogenerate_session_id": False, "connect_timeout": 5}
    defaults["settings"] = {
        **(_ON_CLUSTER if settings.clickhouse_cluster else {}),
        **({"os_thread_priority": settings.clickhouse_nice} if settings.clickhouse_nice else {}),
    }
    try:
        return clickhouse_connect.get_client(
            host=settings.clickhouse_host,
            port=settings.clickhouse_port,
            username=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            secure=settings.clickhouse_secure,
            ca_cert=str(settings.clickhouse_ca_file) if settings.clickhouse_ca_file else None,
            **(defaults | options),
        )
    except (ClickHouseError, OSError) as error:
        refused = _refused_connection(error, settings)
        if refused is not None:
            address = f"{settings.clickhouse_host}:{settings.clickhouse_port}"
            raise Permanent(f"ClickHouse at {address} {refused}") from error
        with mapped_errors():
            raise


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn clickhouse-connect's exceptions into `RetryLater` or `Permanent`, with one-line messages."""
    try:
        yield
    except ClickHouseError as error:
        raise _mapped(error) from error
    except OSError as error:
        raise RetryLater(f"ClickHouse cannot be reached: {error}") from error


def server_code(error: BaseException | str) -> int | None:
    """Return ClickHouse's error code in an exception or its text, or None when there is none."""
    found = _CODE.search(str(error))
    return int(found.group(1)) if found else None


def _refused_connection(error: Exception, settings: Settings) -> str | None:
    """Return why no connection can be made with these settings; None when the reason may pass."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.rsplit("certificate verify failed: ", maxsplit=1)[-1].split(" (_ssl", maxsplit=1)[0]
        return f"shows a certificate that is not trusted ({reason}): look at CLICKHOUSE_CA_FILE and CLICKHOUSE_HOST"
    if "NO_CERTIFICATE_OR_CRL_FOUND" in text:
        return "was not asked: the file in CLICKHOUSE_CA_FILE holds no certificate (PEM)"
    if "WRONG_VERSION_NUMBER" in text:
        return "speaks no TLS: look at CLICKHOUSE_SECURE and CLICKHOUSE_PORT"
    is_unanswered = server_code(error) is None and not settings.clickhouse_secure
    if is_unanswered and speaks_tls(settings.clickhouse_host, settings.clickhouse_port):
        return "speaks TLS: set CLICKHOUSE_SECURE=true, and CLICKHOUSE_CA_FILE when its authority is private"
    return None


def _where_and_why(text: str) -> str:
    """Return what urllib3 says of a connection without the names of its classes."""
    pool = _POOL.search(text)
    where = f" at {pool.group(1)}:{pool.group(2)}" if pool else ""
    why = next((words for sign, words in _REASONS.items() if sign in text), text)
    return f"{where}: {why}"


def _mapped(error: ClickHouseError) -> RetryLater | Permanent:
    text = " ".join(_NOISE.sub("", str(error)).split())[:500]
    code = server_code(error)
    if code is None:  # no answer from the server: the connection was refused, cut or timed out
        return RetryLater(f"ClickHouse cannot be reached{_where_and_why(text)}")
    if code in _PASSING:
        return RetryLater(f"ClickHouse is busy (code {code}): {text}")
    hint = _HINTS.get(code)
    return Permanent(f"ClickHouse refused (code {code}): {text}{f' ({hint})' if hint else ''}")
