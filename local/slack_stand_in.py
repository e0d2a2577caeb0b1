"""Slack's API played locally when there is no token: `python -m local.slack_stand_in --port N --file PATH`.

It answers the four methods the alerts use the way Slack does, refuses what Slack refuses, appends each
accepted call as one JSON line to PATH, and shows the messages on its front page. Tests tell it to
misbehave: POST /_faults {"status": 429, "retry_after": 1, "times": 2}, or with "error" as Slack would say.
"""

from __future__ import annotations

import argparse
import html
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

_TEXT_LIMIT: Final = 3_000
_HEADER_LIMIT: Final = 150
_BLOCK_LIMIT: Final = 50
_FIELD_LIMIT: Final = 10
_CHANNEL_ID: Final = "C0LOCAL"
_TOO_MANY: Final = 429


@dataclass
class Workspace:
    """What the stand-in remembers.

    Args:
        file: where each accepted call is appended.
        messages: the newest content of each message by time stamp; thread replies are messages, too.
        faults: answers still owed to the next calls, as given to /_faults.

    """

    file: Path
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    last_ts: float = 0.0

    def next_ts(self) -> str:
        """Return a time stamp no other message has; Slack uses it as the message's name."""
        self.last_ts = max(time.time(), self.last_ts + 0.000001)
        return f"{self.last_ts:.6f}"

    def record(self, method: str, ts: str, body: dict[str, Any]) -> None:
        """Append an accepted call to the file and keep the message's content."""
        self.messages[ts] = body
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"at": time.time(), "method": method, "ts": ts, **body}) + "\n")


def application(file: Path) -> Starlette:
    """Return the server; its calls go to `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(file)

    async def call(request: Request) -> Response:
        if workspace.faults:
            return _fault(workspace)
        body = await _body(request)
        signed = _is_bearer(request, body)
        return JSONResponse(_answer(workspace, request.path_params["method"], signed, body))

    async def faults(request: Request) -> Response:
        fault = await request.json()
        workspace.faults.extend([fault] * int(fault.get("times", 1)))
        return JSONResponse({"ok": True})

    async def front(_: Request) -> Response:
        return HTMLResponse(_page(workspace))

    return Starlette(
        routes=[
            Route("/", front),
            Route("/_faults", faults, methods=["POST"]),
            Route("/api/{method}", call, methods=["GET", "POST"]),
            Route("/{method}", call, methods=["GET", "POST"]),
        ]
    )


def _fault(workspace: Workspace) -> Response:
    fault = workspace.faults.pop(0)
    status = int(fault["status"])
    headers = {"Retry-After": str(fault.get("retry_after", 1))} if status == _TOO_MANY else {}
    usual = "ratelimited" if status == _TOO_MANY else "internal_error"
    return JSONResponse({"ok": False, "error": fault.get("error", usual)}, status_code=status, headers=headers)


async def _body(request: Request) -> dict[str, Any]:
    content = (await request.body()).decode()
    if content and "json" in request.headers.get("content-type", ""):
        body: dict[str, Any] = json.loads(content)
        return body
    form: dict[str, Any] = dict(parse_qsl(content or request.url.query))
    return {**form, **{name: json.loads(form[name]) for name in ("blocks", "attachments") if form.get(name)}}


def _is_bearer(request: Request, body: dict[str, Any]) -> bool:
    return request.headers.get("authorization", "").startswith("Bearer ") or bool(body.get("token"))


def _answer(workspace: Workspace, method: str, signed: bool, body: dict[str, Any]) -> dict[str, Any]:
    if method == "api.test":
        return {"ok": True, "args": body}
    if not signed:
        return {"ok": False, "error": "invalid_auth"}
    if method == "auth.test":
        return {"ok": True, "url": "http://localhost/", "team": "local", "user": "millrace"}
    if method not in {"chat.postMessage", "chat.update"}:
        return {"ok": False, "error": "unknown_method"}
    error = _refusal(workspace, method, body)
    if error:
        return {"ok": False, **error}
    ts = str(body["ts"]) if method == "chat.update" else workspace.next_ts()
    workspace.record(method, ts, {name: value for name, value in body.items() if name not in {"token", "ts"}})
    return {"ok": True, "channel": _CHANNEL_ID, "ts": ts, "message": {"text": body.get("text", "")}}


def _refusal(workspace: Workspace, method: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the error Slack would answer with, or None."""
    if not body.get("channel"):
        return {"error": "channel_not_found"}
    if method == "chat.update" and body.get("ts") not in workspace.messages:
        return {"error": "message_not_found"}
    if not (body.get("text") or body.get("blocks") or body.get("attachments")):
        return {"error": "no_text"}
    complaints = list(_complaints(_blocks(body)))
    if complaints:
        return {"error": "invalid_blocks", "response_metadata": {"messages": complaints}}
    return None


def _blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    attached = [block for one in body.get("attachments") or [] for block in one.get("blocks", [])]
    return [*(body.get("blocks") or []), *attached]


def _complaints(blocks: list[dict[str, Any]]) -> Iterator[str]:
    if len(blocks) > _BLOCK_LIMIT:
        yield f"[ERROR] no more than {_BLOCK_LIMIT} items allowed [json-pointer:/blocks]"
    for index, block in enumerate(blocks):
        limit = _HEADER_LIMIT if block.get("type") == "header" else _TEXT_LIMIT
        text = block.get("text") or {}
        if len(text.get("text", "")) > limit or ("text" in block and not text.get("text")):
            yield f"[ERROR] must be 1 to {limit} characters [json-pointer:/blocks/{index}/text/text]"
        if len(block.get("fields") or []) > _FIELD_LIMIT:
            yield f"[ERROR] no more than {_FIELD_LIMIT} items allowed [json-pointer:/blocks/{index}/fields]"


def _page(workspace: Workspace) -> str:
    shown = "".join(_shown(ts, body) for ts, body in sorted(workspace.messages.items(), reverse=True))
    return (
        "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=5><title>Slack stand-in</title>"
        "<style>body{font:15px sans-serif;max-width:760px;margin:2em auto}"
        "article{border-left:4px solid;padding:.2em 1em;margin:1em 0}pre{white-space:pre-wrap}</style>"
        f"<h1>Messages</h1>{shown or '<p>None yet.</p>'}"
    )


def _shown(ts: str, body: dict[str, Any]) -> str:
    color = next((one["color"] for one in body.get("attachments") or [] if one.get("color")), "#ccc")
    texts = [body.get("text", ""), *(_text(block) for block in _blocks(body))]
    inner = "".join(f"<pre>{html.escape(text)}</pre>" for text in texts if text)
    where = "in a thread" if body.get("thread_ts") else "to"
    return (
        f'<article style="border-color:{html.escape(color)}"><small>{html.escape(ts)} {where} '
        f"{html.escape(str(body['channel']))}</small>{inner}</article>"
    )


def _text(block: dict[str, Any]) -> str:
    parts = [block.get("text") or {}, *(block.get("fields") or []), *(block.get("elements") or [])]
    return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description="Plays Slack's API on this machine.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True, help="each accepted call is appended here")
    options = parser.parse_args()
    uvicorn.run(application(options.file), host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
