from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from contracts.clock import ManualClock
from contracts.errors import UserError
from dashboard.login import Login, hash_password, read_users

HASH = hash_password("s3cret:ü")


class Server:
    """What is behind the login: remembers who came."""

    def __init__(self) -> None:
        self.users: list[str | None] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.users.append(scope.get("user"))


def ask(login: Login, header: str = "", path: str = "/live") -> list[dict[str, Any]]:
    """Send a request; return what the login itself answered."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    headers = [(b"authorization", header.encode())] if header else []
    asyncio.run(login({"type": "http", "path": path, "headers": headers}, None, send))  # type: ignore[arg-type] # nothing is received
    return sent


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def login(server: Server) -> Login:
    return Login(server, read_users(f"ada:{HASH}"), ManualClock())


def test_who_knows_the_password_gets_in_with_the_name(login: Login, server: Server) -> None:
    assert ask(login, basic("ada", "s3cret:ü")) == []
    assert server.users == ["ada"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic %%%",
        "Bearer x",
        basic("ada", "wrong"),
        basic("ada", ""),
        basic("eve", "s3cret:ü"),
        basic("", ""),
    ],
)
def test_nobody_else_gets_in(login: Login, server: Server, header: str) -> None:
    assert ask(login, header)[0]["status"] == 401
    assert server.users == []


def test_whoever_watches_the_process_needs_no_password(login: Login, server: Server) -> None:
    assert ask(login, path="/alive") == []


def test_a_hash_is_made_anew_each_time_and_fits_into_an_env_file() -> None:
    other = hash_password("s3cret:ü")
    assert other != HASH
    assert not set(HASH) & set(",:$ \"'#=")


@pytest.mark.parametrize("text", ["ada", "ada:plain", ":scrypt.a.b", "ada:scrypt.a", "ada:md5.a.b"])
def test_a_list_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--hash-password"):
        read_users(text)
