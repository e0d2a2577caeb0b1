"""The boundary to Slack: posting, editing, finding, and what its refusals ask of the caller."""

from __future__ import annotations

import logging
import re
import socket
import ssl
from datetime import datetime
from http.client import HTTPException
from typing import Any, Final
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from contracts.errors import LookFirst, Permanent, RetryLater, SlowDown
from contracts.settings import Settings
from orchestration.alerts.channels.channel import Gone, Refused
from orchestration.alerts.channels.slack_message import render, render_note
from orchestration.alerts.chart import png
from orchestration.alerts.notice import Notice

STAND_IN_TOKEN: Final = "xoxb-local-stand-in"  # noqa: S105 - opens nothing: for the local server only
TIMEOUT_SECONDS: Final = 5.0
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_DEFAULT_WAIT_SECONDS: Final = 30.0
# Slack's words for "not now"; `fatal_error` and its kin may have done it nevertheless.
_PASSING: Final = frozenset({"ratelimited", "service_unavailable", "team_added_to_org"})
_UNSURE: Final = frozenset({"internal_error", "fatal_error", "request_timeout"})
_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
# Not this message is at fault but the settings or the app's rights: a person mends it, then everything goes through.
_SETTINGS: Final = frozenset(
    {
        *("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "missing_scope"),
        *("channel_not_found", "not_in_channel", "is_archived", "restricted_action", "no_permission", "access_denied"),
        *("ekm_access_denied", "org_login_required", "team_access_not_granted", "not_allowed_token_type"),
    }
)
_BAD_BLOCKS: Final = frozenset({"invalid_blocks", "invalid_blocks_format", "invalid_attachments"})
_CHANNEL_ID: Final = re.compile(r"[CGD][A-Z0-9]{6,}$")
# No connection came about, so nothing was sent.
_NOT_CONNECTED: Final = (ConnectionRefusedError, TimeoutError, socket.gaierror, ssl.SSLCertVerificationError)
_EVENT: Final = "millrace_alert"
# What the client logs about a failed call, the exception says again; the caller decides who hears it.
logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)
_PAGES: Final = 20


class SlackChannel:
    """Posts and edits messages of one Slack channel.

    A place is `channel id/time stamp`, and `/file id` after it when the message shows a chart.

    Args:
        settings: token, channel, and the address of the API where it is not Slack's own.
        channel: name or id; empty: SLACK_CHANNEL.
        timeout: longest wait for an answer, in seconds.

    """

    edits = True

    def __init__(self, settings: Settings, channel: str = "", timeout: float = TIMEOUT_SECONDS) -> None:
        self._channel = channel or settings.slack_channel
        self._id = self._channel if _CHANNEL_ID.match(self._channel) else ""
        token = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else STAND_IN_TOKEN
        url = settings.slack_api_url.rstrip("/") + "/" if settings.slack_api_url else WebClient.BASE_URL
        # Nothing is repeated in here: the outbox does that, after looking whether the first attempt arrived.
        self._client = WebClient(token=token, base_url=url, timeout=timeout, retry_handlers=[])  # type: ignore[arg-type] # urllib takes a fraction

    def post(self, notice: Notice, key: str) -> str:
        """See `Channel`; a chart is uploaded first, and drawn as text where Slack does not take it."""
        file = self._upload(notice)
        answer, file = self._say("chat.postMessage", {"channel": self._channel}, notice, key, file)
        self._id = str(answer["channel"])
        return "/".join(filter(None, (self._id, str(answer["ts"]), file)))

    def edit(self, place: str, notice: Notice, key: str) -> None:
        """See `Channel`."""
        channel, ts, file = _parts(place)
        self._say("chat.update", {"channel": channel, "ts": ts}, notice, key, file)

    def note(self, place: str, notice: Notice, key: str) -> str:
        """See `Channel`: a note is an answer in the message's thread."""
        channel, ts, _ = _parts(place)
        body = {"channel": channel, "thread_ts": ts, "text": render_note(notice), "metadata": _metadata(key)}
        return f"{channel}/{self._call('chat.postMessage', body)['ts']}"

    def find(self, key: str, since: datetime, place: str = "") -> str:
        """See `Channel`: messages carry their key as metadata."""
        channel, ts, _ = _parts(place) if place else (self._channel_id(), "", "")
        method = "conversations.replies" if ts else "conversations.history"
        body = {"channel": channel, "oldest": f"{since.timestamp():.6f}", "include_all_metadata": True, "limit": 200}
        for message in self._pages(method, body | ({"ts": ts} if ts else {}), "messages"):
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == _EVENT and metadata.get("event_payload", {}).get("key") == key:
                return "/".join(filter(None, (channel, str(message["ts"]), _file(message))))
        return ""

    def _say(
        self, method: str, where: dict[str, Any], notice: Notice, key: str, file: str
    ) -> tuple[dict[str, Any], str]:
        """Say it as well as Slack takes it: with the chart, without it, as plain text. Return what worked."""
        for attempt in (file, "") if file else ("",):
            message = render(notice, attempt)
            body = {"text": message.text, "attachments": message.attachments, "metadata": _metadata(key)}
            try:
                return self._call(method, where | body), attempt
            except _BadBlocks:
                continue
        plain = {"text": message.plain, "attachments": [], "metadata": _metadata(key)}
        return self._call(method, where | plain), ""

    def _upload(self, notice: Notice) -> str:
        """Return the id of the uploaded chart; '' where there is none or Slack does not take it."""
        if not notice.chart:
            return ""
        try:
            image = png(notice.chart, notice.headline)
            answer = self._client.files_upload_v2(content=image, filename="chart.png", title=notice.headline[:100])
            return str(answer["file"]["id"])
        except (SlackClientError, OSError, HTTPException, ValueError, KeyError, TypeError):
            return ""  # the message has a sparkline instead; what it says matters more

    def _channel_id(self) -> str:
        """Return the channel's id: a name may be posted to, but not read."""
        if not self._id:
            wanted = self._channel.removeprefix("#")
            body = {"exclude_archived": True, "types": "public_channel,private_channel", "limit": 200}
            found = (one["id"] for one in self._pages("conversations.list", body, "channels") if one["name"] == wanted)
            self._id = str(next(found, ""))
        if not self._id:
            raise Refused(f"Slack shows no channel {self._channel} to this app: invite it there")
        return self._id

    def _pages(self, method: str, body: dict[str, Any], name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _ in range(_PAGES):
            answer = self._call(method, body)
            found += answer.get(name, [])
            cursor = answer.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                break
            body = body | {"cursor": cursor}
        return found

    def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        is_read = method.startswith("conversations.")
        try:
            sent: dict[str, Any] = {"params": body} if is_read else {"json": body}
            answer = self._client.api_call(method, **sent)
        except SlackApiError as error:
            raise _mapped(error) from error
        except URLError as error:
            kind = RetryLater if isinstance(error.reason, _NOT_CONNECTED) else LookFirst
            raise kind(f"Slack cannot be reached: {error.reason}") from error
        except (SlackClientError, OSError, HTTPException, ValueError) as error:
            raise LookFirst(f"Slack gave no answer: {error or type(error).__name__}") from error
        if not isinstance(answer.data, dict):
            raise LookFirst("Slack gave an answer that is not JSON")
        return answer.data


class _BadBlocks(Permanent):
    """Slack does not take the blocks; it would take the words."""


def _mapped(error: SlackApiError) -> RetryLater | Permanent:
    response: Any = error.response
    status = int(response.status_code)
    word = str(response.get("error", "")) if isinstance(response.data, dict) else ""
    details = " ".join(map(str, (response.get("response_metadata") or {}).get("messages", []))) if word else ""
    said = f"Slack refuses: {word or status} {details}".strip()
    if status == _TOO_MANY or word == "ratelimited":
        seconds = _retry_after(response.headers)
        return SlowDown(f"Slack asks to wait {seconds:.0f} s", seconds)
    if status >= _SERVER_ERROR or word in _UNSURE:
        return LookFirst(f"Slack has trouble (HTTP {status} {word})".replace(" )", ")"))
    if word in _PASSING:
        return RetryLater(f"Slack has trouble ({word})")
    kinds = ((_SETTINGS, Refused), (_GONE, Gone), (_BAD_BLOCKS, _BadBlocks))
    return next((kind(said) for words, kind in kinds if word in words), Permanent(said))


def _retry_after(headers: Any) -> float:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    text = value[0] if isinstance(value, list) else value
    try:
        return float(text) if text is not None else _DEFAULT_WAIT_SECONDS
    except ValueError:
        return _DEFAULT_WAIT_SECONDS


def _metadata(key: str) -> dict[str, Any]:
    return {"event_type": _EVENT, "event_payload": {"key": key}}


def _parts(place: str) -> tuple[str, str, str]:
    channel, ts, *file = place.split("/")
    return channel, ts, file[0] if file else ""


def _file(message: dict[str, Any]) -> str:
    """Return the id of the chart a message shows, or ''."""
    blocks = [block for one in message.get("attachments") or [] for block in one.get("blocks", [])]
    return next((str(block["slack_file"]["id"]) for block in blocks if block.get("slack_file")), "")
