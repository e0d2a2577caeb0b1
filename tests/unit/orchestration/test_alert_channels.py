"""Email and webhooks: what arrives at a real server on loopback, and what the server's refusals ask of the sender."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from contracts.errors import LookFirst, Permanent, RetryLater, SlowDown
from contracts.settings import Settings
from local.ports import free_ports
from orchestration.alerts.channels.channel import Refused
from orchestration.alerts.channels.email import EmailChannel
from orchestration.alerts.channels.webhook import WebhookChannel
from orchestration.alerts.notice import Notice
from tests.alert_tools import NOON, Desk, MemoryStore, passing, rules_of, seen

CHART = {"times": ["2026-01-01T11:00:00", "2026-01-01T12:00:00"], "observed": [4, 40]}
NOTICE = Notice("open", "f1", "Check failed: größe\non x", "Item i1 sold 90.", facts=(("ratio", "9"),), chart=CHART)


class MailServer(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs; `replies` replaces its answers by command."""

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].split(" ")[0].upper()
            reply = self.server.replies.get(word, {"DATA": "354 go on", "QUIT": "500 stay"}.get(word, "250 fine"))  # type: ignore[attr-defined]
            if reply == "drop":
                return
            self._say(reply)
            if word == "DATA" and reply.startswith("354"):
                if not self._take():
                    return
            elif word == "QUIT":
                return

    def _take(self) -> bool:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        self.server.mails.append(b"".join(lines))  # type: ignore[attr-defined]
        after = self.server.replies.get("sent", "250 taken")  # type: ignore[attr-defined]
        if after == "drop":
            return False
        self._say(after)
        return True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is posted and answers as it was told."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((dict(self.headers), json.loads(body)))  # type: ignore[attr-defined]
        status, headers = self.server.answer  # type: ignore[attr-defined]
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def mail() -> Iterator[Any]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer)
    server.daemon_threads = True
    server.mails, server.replies = [], {}
    with serving(server):
        yield server


@pytest.fixture
def hook() -> Iterator[Any]:
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.taken, server.answer = [], (200, {})
    with serving(server):
        yield server


def mailer(port: int, **changes: object) -> EmailChannel:
    base = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", "smtp_to": "a@x.org, b@x.org"}
    return EmailChannel(Settings(_env_file=None, **(base | changes)), timeout=3)


def parsed(raw: bytes) -> Any:
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_a_mail_has_its_subject_text_and_chart_and_a_name_that_follows_from_its_key(mail: Any) -> None:
    channel = mailer(mail.server_address[1])
    place = channel.post(NOTICE, "f1")
    message = parsed(mail.mails[0])
    assert message["Subject"] == "Check failed: größe on x"
    assert (message["To"], message["Message-ID"], place) == (
        "a@x.org, b@x.org",
        "<f1@millrace.alerts>",
        message["Message-ID"],
    )
    assert "ratio: 9" in message.get_body().get_content()
    assert [part.get_content_type() for part in message.iter_attachments()] == ["image/png"]
    assert channel.note(place, NOTICE, "f2") == "<f2@millrace.alerts>"
    assert parsed(mail.mails[1])["In-Reply-To"] == place


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ({"MAIL": "451 later"}, RetryLater),
        ({"MAIL": "550 never"}, Permanent),
        ({"RCPT": "550 nobody"}, Permanent),
        ({"DATA": "554 spam"}, Permanent),
        ({"MAIL": "drop"}, LookFirst),
        ({"sent": "drop"}, LookFirst),
        ({"EHLO": "drop"}, RetryLater),
        ({"QUIT": "500 what?", "MAIL": "452 full"}, RetryLater),
    ],
)
def test_what_a_mail_server_refuses_says_what_to_do_next(mail: Any, replies: dict[str, str], error: type) -> None:
    mail.replies = replies
    with pytest.raises(error) as raised:
        mailer(mail.server_address[1]).post(NOTICE, "f1")
    assert type(raised.value) is error


def test_a_mail_server_that_is_not_there_or_refuses_the_login_is_told_apart(mail: Any) -> None:
    with pytest.raises(RetryLater, match="does not answer"):
        mailer(free_ports(1)[0]).post(NOTICE, "f1")
    with pytest.raises(Refused, match="refuses the settings"):
        mailer(mail.server_address[1], smtp_user="u", smtp_password=SecretStr("p")).post(NOTICE, "f1")
    with pytest.raises(Refused):
        mailer(mail.server_address[1], smtp_security="starttls").post(NOTICE, "f1")


def test_an_incident_is_two_mails_in_one_thread_and_what_is_sent_again_has_the_same_name(mail: Any) -> None:
    desk = Desk(MemoryStore(), Settings(_env_file=None), rules_of(channels={"slack": {"kind": "log"}}))
    desk.channels = {"slack": mailer(mail.server_address[1])}
    mail.replies = {"sent": "drop"}
    desk.tick(seen(0), at=0)
    mail.replies = {}
    for at in range(5, 900, 5):
        desk.tick(seen(at), at=at)
    desk.tick(passing(900), at=900)
    first, again, end = (parsed(raw) for raw in mail.mails)
    assert first["Message-ID"] == again["Message-ID"] == end["In-Reply-To"]
    assert end["Subject"] == "Resolved: x on marts/fct_item"
    assert desk.store.waiting() == []


def url(server: Any) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/secret-path"


def test_a_webhook_gets_the_whole_notice_as_json_with_a_key_against_repeats(hook: Any) -> None:
    assert WebhookChannel(url(hook)).post(NOTICE, "f1") == "f1"
    headers, body = hook.taken[0]
    assert headers["Idempotency-Key"] == "f1-open-open"
    assert (body["id"], body["headline"], body["facts"]) == ("f1", NOTICE.headline, [["ratio", "9"]])


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (429, {"Retry-After": "7"}, SlowDown),
        (500, {}, LookFirst),
        (0, {}, LookFirst),
        (403, {}, Refused),
        (422, {}, Permanent),
    ],
)
def test_what_a_webhook_answers_says_what_to_do_next(
    hook: Any, status: int, headers: dict[str, str], error: type
) -> None:
    hook.answer = (status, headers)
    with pytest.raises(error) as raised:
        WebhookChannel(url(hook)).post(NOTICE, "f1")
    assert type(raised.value) is error
    assert "secret-path" not in str(raised.value)


def test_a_webhook_that_is_not_there_or_no_address_is_told_apart() -> None:
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1 cannot be reached"):
        WebhookChannel(f"http://127.0.0.1:{free_ports(1)[0]}/").post(NOTICE, "f1")
    with pytest.raises(Refused, match="must begin with http"):
        WebhookChannel("file:///etc/passwd").post(NOTICE, "f1")
    assert WebhookChannel("http://x").find("f1", NOON) == ""
