"""Who may see the dashboard, when DASHBOARD_USERS says so: names and scrypt hashes, asked for by HTTP Basic.

Basic needs no cookie that another site could ride on, no page of its own, and works with password managers and curl. It
says the password with each request: put TLS in front of a dashboard that is not on this machine.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import threading
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.clock import Clock
from contracts.errors import UserError

_SCHEME: Final = "scrypt"
_PARTS: Final = 3
# RFC 7914's interactive parameters: 16 MB and some 50 ms a try.
_COST: Final = {"n": 2**14, "r": 8, "p": 1}
_SALT_BYTES: Final = 16
_OPEN_PATHS: Final = frozenset({"/alive"})
_REMEMBERED: Final = 1_000
# A known password is not hashed anew with each of a page's requests.
_REMEMBER_SECONDS: Final = 300.0


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Return `scrypt.SALT.HASH`, which has no character that .env files or commas would trip over."""
    salt = salt or os.urandom(_SALT_BYTES)
    digest = hashlib.scrypt(password.encode(), salt=salt, **_COST)
    return ".".join((_SCHEME, *(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (salt, digest))))


def read_users(text: str) -> Mapping[str, str]:
    """Return the hash of each user's password by name.

    Raises:
        UserError: the list cannot be read.
    """
    users = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, hashed = entry.partition(":")
        parts = hashed.split(".")
        if not name or len(parts) != _PARTS or parts[0] != _SCHEME:
            raise UserError("DASHBOARD_USERS is name:hash,name:hash; millrace dashboard --hash-password makes a hash")
        users[name] = hashed
    return users


class Login:
    """ASGI middleware that lets only known users in and puts the name into the request's scope as `user`.

    Args:
        app: what they get in to.
        users: hashes by name.
        clock: for how long a checked password is remembered.
    """

    def __init__(self, app: ASGIApp, users: Mapping[str, str], clock: Clock) -> None:
        self._app = app
        self._users = users
        self._clock = clock
        self._known: dict[bytes, tuple[str, float]] = {}
        self._lock = threading.Lock()
        # Checked for names that nobody has, so that a guess takes as long for them.
        self._nobody = hash_password("", os.urandom(_SALT_BYTES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when it comes from a known user."""
        if scope["type"] != "http" or scope["path"] in _OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        # In a thread: a hash takes long enough to hold everybody up.
        user = await asyncio.to_thread(self._user, Headers(scope=scope).get("authorization", ""))
        if user is None:
            refusal = PlainTextResponse(
                "Name and password, please.\n", 401, {"WWW-Authenticate": 'Basic realm="Millrace", charset="UTF-8"'}
            )
            await refusal(scope, receive, send)
            return
        scope["user"] = user
        await self._app(scope, receive, send)

    def _user(self, header: str) -> str | None:
        """Return the name that the header proves, or None."""
        key = hashlib.sha256(header.encode()).digest()
        with self._lock:
            known = self._known.get(key)
        if known and self._clock.monotonic() - known[1] < _REMEMBER_SECONDS:
            return known[0]
        name, password = _credentials(header)
        if name is None:
            return None
        hashed = self._users.get(name, self._nobody)
        is_right = _matches(password, hashed)
        if not is_right or name not in self._users:
            return None
        with self._lock:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = (name, self._clock.monotonic())
        return name


def _credentials(header: str) -> tuple[str | None, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None, ""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, ""
    return name, password


def _matches(password: str, hashed: str) -> bool:
    _, salt, _ = hashed.split(".")
    try:
        made = hash_password(password, base64.urlsafe_b64decode(salt + "=" * (-len(salt) % 4)))
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(made, hashed)
