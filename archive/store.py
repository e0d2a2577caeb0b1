"""Where the archive lies: a folder, or a bucket of an S3-compatible server. The one boundary to both."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import duckdb
import pyarrow as pa
from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow import fs

from contracts.errors import Permanent, RetryLater, UserError
from contracts.settings import Settings

_CHUNK: Final = 4 * 2**20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_REFUSED: Final = re.compile(
    r"ACCESS_DENIED|NO_SUCH_BUCKET|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|HTTP status 403"
)
_TRIES: Final = 3


class _ForDuckDb(ArrowFSWrapper):  # type: ignore[misc] # fsspec ships no types
    """Lets DuckDB's own Parquet reader read a bucket; its S3 extension would be downloaded at run time."""

    protocol = "millrace"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix("millrace://")


class Sink:
    """A file being written: takes bytes, and knows their number and SHA-256."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write the bytes and count them."""
        view = memoryview(data)
        self._stream.write(view)
        self._hash.update(view)
        self.bytes += view.nbytes
        return view.nbytes

    def flush(self) -> None:
        """Nothing: what is written is complete only when the file is closed."""

    def close(self) -> None:
        """Nothing: whoever opened the file closes it."""

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self.bytes

    @property
    def sha256(self) -> str:
        """Of all that was written."""
        return self._hash.hexdigest()


class Store:
    """Files by name below one root.

    Args:
        system: the file system.
        root: the folder or bucket with its prefix.
        is_local: whether files are written under another name first; an object appears whole or not at all.

    Every method raises RetryLater when the store is away or full, and Permanent when it refuses or lacks a file.
    """

    def __init__(self, system: fs.FileSystem, root: str, *, is_local: bool) -> None:
        self._system = system
        self.root = root.rstrip("/")
        self.is_local = is_local

    @classmethod
    def of(cls, settings: Settings) -> Store:
        """Return the store that ARCHIVE_URL means.

        Raises:
            UserError: it means none.
        """
        url = settings.archive_url or str(settings.millrace_home / "archive")
        scheme, is_url, rest = url.partition("://")
        if not is_url or scheme == "file":
            folder = Path(rest if is_url else url).expanduser().absolute()
            return cls(fs.LocalFileSystem(), str(folder), is_local=True)
        if scheme != "s3" or not rest.strip("/"):
            raise UserError(f"ARCHIVE_URL={url}: write a folder, or s3://bucket/prefix")
        return cls(_s3(settings), rest.strip("/"), is_local=False)

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below `folder`, sorted; none when there is no such folder."""
        selector = fs.FileSelector(f"{self.root}/{folder}", allow_not_found=True, recursive=True)
        with self._mapped(f"listing {folder}"):
            found = self._system.get_file_info(selector)
        return sorted(info.path.removeprefix(f"{self.root}/") for info in found if info.type == fs.FileType.File)

    def read(self, name: str) -> bytes:
        """Return a small file whole."""
        with self._mapped(f"reading {name}"), self._system.open_input_stream(f"{self.root}/{name}") as stream:
            return bytes(stream.read())

    @contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        """Yield an input file that can be read at random."""
        with self._mapped(f"reading {name}"), self._system.open_input_file(f"{self.root}/{name}") as file:
            yield file

    def digest(self, name: str) -> tuple[int, str]:
        """Return a file's bytes and SHA-256, read from the store now."""
        found, size = hashlib.sha256(), 0
        with self._mapped(f"reading {name}"), self._system.open_input_stream(f"{self.root}/{name}") as stream:
            while data := stream.read(_CHUNK):
                found.update(data)
                size += len(data)
        return size, found.hexdigest()

    @contextmanager
    def writing(self, name: str) -> Iterator[Sink]:
        """Yield a sink; the file has its name, and is on the disk, only when the block ends without an error."""
        final = f"{self.root}/{name}"
        path = f"{final}.tmp" if self.is_local else final
        with self._mapped(f"writing {name}"):
            if self.is_local:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                with Path(path).open("wb") as file:
                    yield Sink(file)
                    _to_disk(file)
                Path(path).replace(final)
                _folder_to_disk(Path(final).parent)
                return
            stream = self._system.open_output_stream(path)
            try:
                yield Sink(stream)
            except BaseException:
                stream.abort() if hasattr(stream, "abort") else None
                raise
            stream.close()

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is deleted."""
        with self._mapped(f"deleting {name}"):
            if self._system.get_file_info(f"{self.root}/{name}").type != fs.FileType.NotFound:
                self._system.delete_file(f"{self.root}/{name}")

    def address(self, name: str) -> str:
        """Return what DuckDB calls the file; in a bucket it begins with s3://."""
        return f"{self.root}/{name}" if self.is_local else f"s3://{self.root}/{name}"

    def readable(self, connection: duckdb.DuckDBPyConnection, name: str) -> str:
        """Return what `connection` can read the file by, here and now."""
        self.prepare(connection)
        return f"{self.root}/{name}" if self.is_local else f"millrace://{self.root}/{name}"

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let `connection` read what `readable` names, also in views made earlier."""
        if not self.is_local and "millrace" not in connection.list_filesystems():
            connection.register_filesystem(_ForDuckDb(self._system))

    @contextmanager
    def _mapped(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            text = " ".join(str(error).split())[:300]
            where = f"the archive at {self.address('')[:-1]}"
            if isinstance(error, FileNotFoundError):
                raise Permanent(f"{where}: {doing}: there is no such file") from error
            if isinstance(error, OSError) and error.errno in _FULL:
                raise RetryLater(f"{where}: {doing}: the disk is full; free some space") from error
            if isinstance(error, PermissionError | NotADirectoryError | pa.ArrowException) or _REFUSED.search(text):
                raise Permanent(f"{where}: {doing}: {text}") from error
            raise RetryLater(f"{where}: {doing}: {text}") from error


def _s3(settings: Settings) -> fs.FileSystem:
    secret = settings.archive_s3_secret_key
    scheme, _, rest = settings.archive_s3_endpoint.rpartition("://")
    return fs.S3FileSystem(
        access_key=settings.archive_s3_access_key,
        secret_key=secret.get_secret_value() if secret is not None else None,
        region=settings.archive_s3_region,
        endpoint_override=rest or None,
        scheme=scheme or "https",
        connect_timeout=5,
        request_timeout=60,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_TRIES),
    )


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    # The rename itself must survive a power cut before ClickHouse lets the rows go.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
