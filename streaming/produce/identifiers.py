"""Identifiers as text, a whole batch at a time and without a loop over its rows."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

_HEX: Final = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype="u1").reshape(256, 2)
# Where the 16 bytes' digits go in 8-4-4-4-12.
_UUID_DIGITS: Final = np.array([at for at in range(36) if at not in {8, 13, 18, 23}])


def uuid7(times: NDArray[np.int64], noise: NDArray[np.uint64], session: NDArray[np.uint64]) -> pl.Series:
    """Return UUIDv7 text (RFC 9562, 5.7): 48 bits of milliseconds, then 74 bits of noise."""
    raw = np.empty((len(times), 16), dtype="u1")
    raw[:, :6] = times.astype(">u8").view("u1").reshape(-1, 8)[:, 2:]
    # Ten bits more than the event's own noise holds come from its session's key.
    raw[:, 6:8] = session.astype(">u8").view("u1").reshape(-1, 8)[:, :2]
    raw[:, 8:] = noise.astype(">u8").view("u1").reshape(-1, 8)
    raw[:, 7] ^= raw[:, 8]
    raw[:, 6] = 0x70 | (raw[:, 6] & 0x0F)
    raw[:, 8] = 0x80 | (raw[:, 8] & 0x3F)
    text = np.full((len(times), 36), ord("-"), dtype="u1")
    text[:, _UUID_DIGITS] = _HEX[raw].reshape(-1, 32)
    return _fixed_width(text)


def hex_text(numbers: NDArray[np.uint64]) -> pl.Series:
    """Return each 64-bit number as 16 hexadecimal digits."""
    raw = np.ascontiguousarray(numbers.astype(">u8")).view("u1").reshape(-1, 8)
    return _fixed_width(_HEX[raw].reshape(-1, 16))


def _fixed_width(text: NDArray[np.uint8]) -> pl.Series:
    """Return rows of ASCII codes, shape (rows, width), as text without a loop over the rows."""
    rows, width = text.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text))]
    series = pl.from_arrow(pa.Array.from_buffers(pa.large_string(), rows, buffers))
    assert isinstance(series, pl.Series)  # noqa: S101 - an array never becomes a frame
    return series
