"""A bucket of an S3-compatible server in memory: what pyarrow's client asks of one, and no signatures.

Puts, multipart uploads, ranged reads, listings and deletes. An object appears when its upload is completed. `trouble`
is answered instead of anything, as an error of S3.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class Bucket:
    """The server's state: objects by bucket and key, uploads under way, and an error to answer with."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.trouble: tuple[int, str] | None = None
        self.url = ""


@contextmanager
def s3_server() -> Iterator[Bucket]:
    """Yield a bucket that is served on a free port."""
    bucket = Bucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": bucket}))
    bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None: ...

    def do_PUT(self) -> None:
        body = self._body()
        if self._refused():
            return
        key, query = self._asked()
        if "partNumber" in query:
            self.bucket.uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            self.bucket.objects[key] = body
        self._answer(200, headers={"ETag": '"x"'})

    def do_POST(self) -> None:
        self._body()
        if self._refused():
            return
        key, query = self._asked()
        if "uploads" in query:
            name = f"upload-{len(self.bucket.uploads)}"
            self.bucket.uploads[name] = {}
            start = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
            self._answer(200, start.encode())
            return
        parts = self.bucket.uploads.pop(query["uploadId"][0])
        self.bucket.objects[key] = b"".join(parts[number] for number in sorted(parts))
        self._answer(200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self._refused():
            return
        key, query = self._asked()
        if "list-type" in query:
            self._list(key, query.get("prefix", [""])[0])
        elif key not in self.bucket.objects:
            self._answer(404, _error("NoSuchKey"))
        else:
            self._read(self.bucket.objects[key])

    def do_DELETE(self) -> None:
        key, query = self._asked()
        if "uploadId" in query:
            self.bucket.uploads.pop(query["uploadId"][0], None)
        self.bucket.objects.pop(key, None)
        self._answer(204)

    def _read(self, data: bytes) -> None:
        wanted = self.headers.get("Range")
        if not wanted:
            self._answer(200, data)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        end = min(int(last or len(data) - 1), len(data) - 1)
        where = {"Content-Range": f"bytes {first}-{end}/{len(data)}"}
        self._answer(206, data[int(first) : end + 1], where)

    def _list(self, bucket: str, prefix: str) -> None:
        keys = sorted(key for key in self.bucket.objects if key.startswith(f"{bucket.rstrip('/')}/{prefix}"))
        entries = "".join(
            f"<Contents><Key>{escape(key.split('/', 1)[1])}</Key><Size>{len(self.bucket.objects[key])}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        answer = f"<ListBucketResult><KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>{entries}"
        self._answer(200, f"{answer}</ListBucketResult>".encode())

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return unquote(parts.path).lstrip("/"), parse_qs(parts.query, keep_blank_values=True)

    def _refused(self) -> bool:
        if self.bucket.trouble:
            self._answer(self.bucket.trouble[0], _error(self.bucket.trouble[1]))
        return self.bucket.trouble is not None

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self._plain(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return self._plain(body)

    def _plain(self, body: bytes) -> bytes:
        """Return the body without the chunks that a signed stream comes in."""
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return body
        found = b""
        while body:
            size, _, rest = body.partition(b"\r\n")
            length = int(size.split(b";")[0], 16)
            if length == 0:
                break
            found, body = found + rest[:length], rest[length + 2 :]
        return found

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.command == "HEAD":
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
