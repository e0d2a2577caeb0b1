"""Slack's API played locally when there is no token: `python -m local.slack_stand_in --port N --file PATH`.

It answers the methods the alerts use the way Slack does, refuses what Slack refuses, appends each accepted message and
edit as one JSON line to PATH, and shows the messages on its front page. Tests tell it to misbehave, see `Fault`:
POST /_faults {"status": 429, "retry_after": 1, "times": 2}; {"times": 0} ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
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
_PAGE: Final = 200
_OWN: Final = frozenset({"token", "ts"})


@dataclass(frozen=True)
class Fault:
    """How calls are answered that would have been accepted.

    Args:
        times: so many calls.
        status, error: the answer, as Slack would give it.
        retry_after: seconds, with status 429.
        accept: whether the call is carried out before it is answered so.
        hang: seconds before the answer.
        drop: break the connection in place of an answer.
        blocks: only calls with blocks.
        method: only calls of this method.

    """

    times: int = 1
    status: int = 200
    error: str = ""
    retry_after: float = 1
    accept: bool = False
    hang: float = 0
    drop: bool = False
    blocks: bool = False
    method: str = ""

    def concerns(self, method: str, body: dict[str, Any]) -> bool:
        """Return whether the call is to meet this fault."""
        return self.method in {"", method} and (not self.blocks or bool(_blocks(body)))


@dataclass
class Workspace:
    """What the stand-in remembers.

    Args:
        file: where each accepted call is appended.
        messages: the newest content of each message by time stamp; thread replies are messages, too.
        names: channels by the names that were used for them; they are all one.
        files: uploaded files by their ids.
        fault: how the next calls are answered.

    """

    file: Path
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    fault: Fault = field(default_factory=lambda: Fault(times=0))
    last_ts: float = 0.0

    def fault_of(self, method: str, body: dict[str, Any]) -> Fault | None:
        """Return the fault that the call is to meet, and count it."""
        fault = self.fault
        if not fault.times or not fault.concerns(method, body):
            return None
        self.fault = replace(fault, times=fault.times - 1)
        return fault

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
        method, body = request.path_params["method"], await _body(request)
        fault = workspace.fault_of(method, body)
        answer = None
        if fault is None or fault.accept:
            answer = _answer(workspace, method, _is_bearer(request, body), body, str(request.base_url))
        return JSONResponse(answer) if fault is None else await _faulty(fault, request)

    async def faults(request: Request) -> Response:
        workspace.fault = Fault(**await request.json())
        return JSONResponse({"ok": True})

    async def upload(request: Request) -> Response:
        workspace.files[request.path_params["file"]] = await request.body()
        return Response("OK")

    async def file_of(request: Request) -> Response:
        return Response(workspace.files.get(request.path_params["file"], b""), media_type="image/png")

    async def front(_: Request) -> Response:
        return HTMLResponse(_page(workspace))

    return Starlette(
        routes=[
            Route("/", front),
            Route("/_faults", faults, methods=["POST"]),
            Route("/upload/{file}", upload, methods=["POST"]),
            Route("/file/{file}", file_of),
            Route("/api/{method}", call, methods=["GET", "POST"]),
            Route("/{method}", call, methods=["GET", "POST"]),
        ]
    )


async def _faulty(fault: Fault, request: Request) -> Response:
    await asyncio.sleep(fault.hang)
    if fault.drop:
        # Only the server's own object for this request holds the connection; ASGI has no word for dropping it.
        request.receive.__self__.transport.abort()  # type: ignore[attr-defined] # uvicorn's RequestResponseCycle
    headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.status == _TOO_MANY else {}
    usual = "ratelimited" if fault.status == _TOO_MANY else "internal_error"
    return JSONResponse({"ok": False, "error": fault.error or usual}, status_code=fault.status, headers=headers)


async def _body(request: Request) -> dict[str, Any]:
    content = (await request.body()).decode()
    if content and "json" in request.headers.get("content-type", ""):
        body: dict[str, Any] = json.loads(content)
        return body
    form: dict[str, Any] = dict(parse_qsl(content or request.url.query))
    return {**form, **{name: json.loads(form[name]) for name in ("blocks", "attachments", "files") if form.get(name)}}


def _is_bearer(request: Request, body: dict[str, Any]) -> bool:
    return request.headers.get("authorization", "").startswith("Bearer ") or bool(body.get("token"))


def _answer(workspace: Workspace, method: str, signed: bool, body: dict[str, Any], base: str) -> dict[str, Any]:
    if not signed:
        return {"ok": False, "error": "invalid_auth"}
    if method == "auth.test":
        return {"ok": True, "url": "http://localhost/", "team": "local", "user": "millrace"}
    if method in {"chat.postMessage", "chat.update"}:
        return _said(workspace, method, body)
    if method.startswith("conversations."):
        return _read(workspace, method, body)
    if method.startswith("files."):
        return _filed(workspace, method, body, base)
    return {"ok": False, "error": "unknown_method"}


def _said(workspace: Workspace, method: str, body: dict[str, Any]) -> dict[str, Any]:
    workspace.names.add(str(body.get("channel", "")).removeprefix("#"))
    error = _refusal(workspace, method, body)
    if error:
        return {"ok": False, **error}
    ts = str(body["ts"]) if method == "chat.update" else workspace.next_ts()
    workspace.record(method, ts, {name: value for name, value in body.items() if name not in _OWN})
    return {"ok": True, "channel": _CHANNEL_ID, "ts": ts, "message": {"text": body.get("text", "")}}


def _read(workspace: Workspace, method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Answer what is asked of a channel; only its id names it there, as in Slack."""
    if method == "conversations.list":
        return {"ok": True, "channels": [{"id": _CHANNEL_ID, "name": name} for name in sorted(workspace.names)]}
    if body.get("channel") != _CHANNEL_ID:
        return {"ok": False, "error": "channel_not_found"}
    thread = str(body["ts"]) if method == "conversations.replies" else None
    shown = [
        {"ts": ts} | {name: value for name, value in message.items() if name != "metadata" or _wants_metadata(body)}
        for ts, message in sorted(workspace.messages.items(), reverse=thread is None)
        if message.get("thread_ts") == thread or ts == thread
    ]
    recent = [one for one in shown if float(one["ts"]) > float(body.get("oldest", 0))]
    start = int(body.get("cursor") or 0)
    end = start + min(int(body.get("limit", 100)), _PAGE)
    following = str(end) if end < len(recent) else ""
    return {"ok": True, "messages": recent[start:end], "response_metadata": {"next_cursor": following}}


def _wants_metadata(body: Mapping[str, Any]) -> bool:
    return str(body.get("include_all_metadata", "")).lower() in {"1", "true"}


def _filed(workspace: Workspace, method: str, body: dict[str, Any], base: str) -> dict[str, Any]:
    if method == "files.getUploadURLExternal":
        file = f"F{len(workspace.files):07d}"
        workspace.files[file] = b""
        return {"ok": True, "upload_url": f"{base}upload/{file}", "file_id": file}
    files = body.get("files") or []
    if method != "files.completeUploadExternal" or not all(workspace.files.get(one["id"]) for one in files):
        return {"ok": False, "error": "file_not_found"}
    return {"ok": True, "files": [{"id": one["id"], "title": one.get("title", "")} for one in files]}


def _refusal(workspace: Workspace, method: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the error Slack would answer with, or None."""
    if not body.get("channel"):
        return {"error": "channel_not_found"}
    if method == "chat.update" and body.get("ts") not in workspace.messages:
        return {"error": "message_not_found"}
    if not (body.get("text") or body.get("blocks") or body.get("attachments")):
        return {"error": "no_text"}
    files = [block["slack_file"].get("id", "") for block in _blocks(body) if block.get("slack_file")]
    missing = [f"[ERROR] invalid slack file {one}" for one in files if not workspace.files.get(one)]
    complaints = [*_complaints(_blocks(body)), *missing]
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
        if block.get("type") == "context" and not all(one.get("text") for one in block.get("elements") or [{}]):
            yield f"[ERROR] must have text [json-pointer:/blocks/{index}/elements]"
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
    files = [str(block["slack_file"].get("id", "")) for block in _blocks(body) if block.get("slack_file")]
    inner = "".join(f"<pre>{html.escape(text)}</pre>" for text in texts if text)
    inner += "".join(f'<img src="/file/{html.escape(one)}" alt="chart" width="600">' for one in files)
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
