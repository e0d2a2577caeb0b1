"""Any program as a channel: each message as JSON, posted to its address."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import asdict
from datetime import datetime
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from contracts.errors import LookFirst, Permanent, RetryLater, SlowDown
from orchestration.alerts.channels.channel import Refused
from orchestration.alerts.notice import Notice

TIMEOUT_SECONDS: Final = 10.0
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_SETTINGS: Final = frozenset({401, 403, 404, 405, 410})
_DEFAULT_WAIT_SECONDS: Final = 30.0


class WebhookChannel:
    """Posts JSON to one address.

    It cannot look, so what may have arrived is posted again with the same `Idempotency-Key` header and `id`: the
    receiver drops a repeat.

    Args:
        url: http or https; never shown, as it may hold a secret.
        timeout: longest wait for an answer, in seconds.

    """

    edits = True

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._host = urlsplit(url).hostname or "?"
        self._timeout = timeout

    def post(self, notice: Notice, key: str) -> str:
        """See `Channel`; the place is the key."""
        self._send(notice, key)
        return key

    def edit(self, place: str, notice: Notice, key: str) -> None:  # noqa: ARG002 - the key is the place
        """See `Channel`: the same `id` with the newest content."""
        self._send(notice, key)

    def note(self, place: str, notice: Notice, key: str) -> str:  # noqa: ARG002 - `incident` says where it belongs
        """See `Channel`."""
        self._send(notice, key)
        return key

    def find(self, key: str, since: datetime, place: str = "") -> str:  # noqa: ARG002 - see the class
        """Return '': see the class."""
        return ""

    def _send(self, notice: Notice, key: str) -> None:
        content = {"id": key, "incident": notice.key, "text": notice.text} | asdict(notice)
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{key}-{notice.kind}-{notice.state}"}
        if urlsplit(self._url).scheme not in {"http", "https"}:
            raise Refused("ALERT_WEBHOOK_URL must begin with http:// or https://")
        request = urllib.request.Request(self._url, json.dumps(content).encode(), headers, method="POST")  # noqa: S310 - looked at above
        try:
            urllib.request.urlopen(request, timeout=self._timeout).close()  # noqa: S310 - looked at above
        except HTTPError as error:
            raise self._mapped(error) from error
        except URLError as error:
            kind = RetryLater if isinstance(error.reason, ConnectionRefusedError) else LookFirst
            raise kind(f"the webhook at {self._host} cannot be reached: {error.reason}") from error
        except (OSError, HTTPException) as error:
            raise LookFirst(f"the webhook at {self._host} gave no answer: {error}") from error

    def _mapped(self, error: HTTPError) -> RetryLater | Permanent:
        said = f"the webhook at {self._host} answers {error.code}"
        if error.code == _TOO_MANY:
            text = str(error.headers.get("Retry-After", ""))
            return SlowDown(said, float(text) if text.isdigit() else _DEFAULT_WAIT_SECONDS)
        if error.code >= _SERVER_ERROR:
            return LookFirst(said)
        return Refused(said) if error.code in _SETTINGS else Permanent(said)
