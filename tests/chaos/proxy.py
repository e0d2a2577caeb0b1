"""TCP in between a worker and a server: passes on, refuses, falls silent, and traps inserts half-way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.chaos.http_requests import Request, read_request

_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 60.0

Place = Literal["request", "half", "answer"]


@dataclass
class Trap:
    """Catches inserts on their way; each trap is set once.

    Args:
        table: the table below `raw` whose insert it waits for.
        place: `request` before the server sees anything, `half` when it has the first half of the body,
            `answer` when it has done the insert and before the worker hears of it.
        cuts: inserts to break by hanging up; with 0 the first one is held until `release`, then goes on.
    """

    table: Literal["events", "dead_letters"] = "events"
    place: Place = "request"
    cuts: int = 0
    caught: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Let what is held go on."""
        self.released.set()

    def spring(self) -> bool:
        """Hold or break what was caught; return True when the connection is to be cut."""
        self.caught.set()
        if self.cuts:
            self.cuts -= 1
            return True
        self.released.wait()
        return False


class Pair:
    """The two ends of one connection."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near = near
        self.far = far
        self.answer_trap: Trap | None = None
        self.asked: Trap | None = None

    def cut(self) -> None:
        """End both, waking whoever waits on them."""
        for end in (self.near, self.far):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Listens on loopback and passes each connection on to `target`.

    Args:
        target: the server's port on loopback.
        http: understand requests, so that traps can be set; otherwise bytes are bytes.
    """

    def __init__(self, target: int, *, http: bool = False) -> None:
        self._target = target
        self._http = http
        self._pairs: set[Pair] = set()
        self._traps: list[Trap] = []
        self._lock = threading.Lock()
        self._talking = threading.Event()
        self._talking.set()
        self._refusing = False
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._spawn(self._accept)

    def set_trap(self, trap: Trap) -> Trap:
        """Let the trap wait for the next inserts; return it."""
        with self._lock:
            self._traps.append(trap)
        return trap

    def refuse(self) -> None:
        """Break every connection, and every new one as soon as it is made."""
        self._refusing = True
        self._cut_all()

    def fall_silent(self) -> None:
        """Keep every connection and pass nothing on, as a network does that drops packets."""
        self._talking.clear()

    def heal(self) -> None:
        """Pass on again, first of all what was kept back, and forget traps that caught nothing."""
        self._refusing = False
        with self._lock:
            traps, self._traps = self._traps, []
        for trap in traps:
            trap.release()
        self._talking.set()

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._closed = True
        self.heal()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut_all()

    def _cut_all(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.cut()

    @staticmethod
    def _spawn(work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True, name="chaos-proxy").start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._spawn(self._connect, near)

    def _connect(self, near: socket.socket) -> None:
        self._talking.wait()
        try:
            if self._refusing:
                raise ConnectionRefusedError
            far = socket.create_connection(("127.0.0.1", self._target), timeout=_CONNECT_SECONDS)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = Pair(near, far)
        with self._lock:
            self._pairs.add(pair)
        self._spawn(self._pump, pair, self._pass_requests if self._http else self._pass_asked)
        self._spawn(self._pump, pair, self._pass_answers)

    def _pump(self, pair: Pair, passing: Callable[[Pair], None]) -> None:
        with suppress(OSError, ValueError):
            passing(pair)
        with self._lock:
            self._pairs.discard(pair)
        pair.cut()
        if pair.asked:
            pair.asked.over.set()

    def _pass_asked(self, pair: Pair) -> None:
        while data := pair.near.recv(65536):
            self._talking.wait()
            pair.far.sendall(data)

    def _pass_answers(self, pair: Pair) -> None:
        while data := pair.far.recv(65536):
            self._talking.wait()
            trap, pair.answer_trap = pair.answer_trap, None
            if trap and trap.spring():
                return
            pair.near.sendall(data)
            if pair.asked:
                pair.asked.over.set()
                pair.asked = None

    def _pass_requests(self, pair: Pair) -> None:
        with pair.near.makefile("rb") as stream:
            while request := read_request(stream):
                self._talking.wait()
                trap = self._trap_for(request)
                if trap is None:
                    pair.far.sendall(request.head + request.body)
                elif not self._pass_trapped(pair, request, trap):
                    return
        # The asker is gone; the server still gets all of a held insert, and the time to do it.
        if (held := pair.asked) is not None:
            held.over.wait(_ANSWER_SECONDS)

    def _pass_trapped(self, pair: Pair, request: Request, trap: Trap) -> bool:
        if not trap.cuts:
            pair.asked = trap
        sent = len(request.body) // 2 if trap.place == "half" else 0
        if trap.place == "answer":
            pair.answer_trap = trap
        elif trap.place == "half":
            pair.far.sendall(request.head + request.body[:sent])
        if trap.place != "answer" and trap.spring():
            return False
        pair.far.sendall(request.body[sent:] if sent else request.head + request.body)
        return True

    def _trap_for(self, request: Request) -> Trap | None:
        table = request.table
        with self._lock:
            for trap in self._traps:
                if trap.table == table:
                    if trap.cuts <= 1:
                        self._traps.remove(trap)
                    return trap
        return None
