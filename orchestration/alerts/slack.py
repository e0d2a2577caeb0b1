"""The boundary to Slack: posting and editing, and what its refusals ask of the caller."""

from __future__ import annotations

import logging
from typing import Any, Final

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState

from contracts.errors import Permanent, RetryLater, SlowDown
from contracts.settings import Settings
from orchestration.alerts.render import Message

# In place of channel and time stamp when a message went to the log.
LOG: Final = "log"
STAND_IN_TOKEN: Final = "xoxb-local-stand-in"  # noqa: S105 - opens nothing: for the local server only
TIMEOUT_SECONDS: Final = 5
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
# A tick has a minute; a longer wait than this is left to the next tick.
_WAIT_HERE_SECONDS: Final = 5.0
_DEFAULT_WAIT_SECONDS: Final = 30.0
# Slack's words for "not now"; every other one says that this message or these settings cannot work.
_PASSING: Final = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})

_log = logging.getLogger("dagster.millrace.alerts")


class _ShortWaits(RateLimitErrorRetryHandler):
    """Waits as long as Slack asks, unless that is longer than a tick should last."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        limited = super()._can_retry(state=state, request=request, response=response, error=error)
        return limited and response is not None and _retry_after(response.headers) <= _WAIT_HERE_SECONDS


class Slack:
    """Posts and edits messages; without a token and without a stand-in it writes them to the log.

    Args:
        settings: token, channel, and the address of the API where it is not Slack's own.

    """

    def __init__(self, settings: Settings) -> None:
        self._channel = settings.slack_channel
        token = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else ""
        url = settings.slack_api_url
        if url:
            url = url.rstrip("/") + "/"
            token = token or STAND_IN_TOKEN
        self._client = _client(token, url) if token else None

    def post(self, message: Message) -> tuple[str, str]:
        """Post a new message and return its channel and time stamp, which name it from then on.

        Raises:
            SlowDown, RetryLater: not now; nothing was posted as far as one can know.
            Permanent: Slack will never take this message with these settings.

        """
        if self._client is None:
            _log.warning("alert: %s", message.text)
            return LOG, LOG
        body = {"text": message.text, "attachments": message.attachments}
        answer = self._call("chat.postMessage", {"channel": self._channel, **body})
        return str(answer["channel"]), str(answer["ts"])

    def update(self, channel: str, ts: str, message: Message) -> None:
        """Replace a message's content; errors as in `post`."""
        if self._client is None or channel == LOG:
            _log.warning("alert: %s", message.text)
        else:
            body = {"text": message.text, "attachments": message.attachments}
            self._call("chat.update", {"channel": channel, "ts": ts, **body})

    def note(self, channel: str, ts: str, text: str) -> None:
        """Answer in a message's thread, which tells the people who follow it; errors as in `post`."""
        if self._client is None or channel == LOG:
            _log.warning("alert: %s", text)
        else:
            self._call("chat.postMessage", {"channel": channel, "thread_ts": ts, "text": text})

    def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        assert self._client is not None  # noqa: S101 - the callers looked
        try:
            data = self._client.api_call(method, json=body).data
        except SlackApiError as error:
            raise _mapped(error) from error
        except (SlackClientError, OSError, ValueError) as error:
            raise RetryLater(f"Slack cannot be reached: {error}") from error
        if not isinstance(data, dict):
            raise RetryLater("Slack gave an answer that is not JSON")
        return data


def _client(token: str, url: str) -> WebClient:
    # Connection errors are not repeated here: the message may have arrived, and the next tick is near.
    handlers = [_ShortWaits(max_retry_count=2), ServerErrorRetryHandler(max_retry_count=1)]
    return WebClient(
        token=token,
        base_url=url or WebClient.BASE_URL,
        timeout=TIMEOUT_SECONDS,
        retry_handlers=list(handlers),
    )


def _mapped(error: SlackApiError) -> RetryLater | Permanent:
    response: Any = error.response
    status = int(response.status_code)
    word = str(response.get("error", "")) if isinstance(response.data, dict) else ""
    if status == _TOO_MANY or word == "ratelimited":
        seconds = _retry_after(response.headers)
        return SlowDown(f"Slack asks to wait {seconds:.0f} s", seconds)
    if status >= _SERVER_ERROR or word in _PASSING:
        return RetryLater(f"Slack has trouble (HTTP {status} {word})")
    details = " ".join(map(str, response.get("response_metadata", {}).get("messages", [])))
    return Permanent(f"Slack refuses: {word or status} {details}".strip())


def _retry_after(headers: Any) -> float:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    text = value[0] if isinstance(value, list) else value
    try:
        return float(text) if text is not None else _DEFAULT_WAIT_SECONDS
    except ValueError:
        return _DEFAULT_WAIT_SECONDS
