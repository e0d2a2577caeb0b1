"""Prove an archived day anew: its files against their manifest, and against ClickHouse where the rows still are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from archive.contents import Contents, contents_on
from archive.manifest import Manifest, folder
from archive.place import Archive, Standing, summed
from archive.readback import damage, read_contents
from archive.settle import settle
from archive.tables import TABLES, RawTable
from contracts.clickhouse import mapped_errors
from contracts.errors import Permanent, UserError


@dataclass(frozen=True)
class Proof:
    """What was found about one table's day.

    Args:
        table: which.
        pieces, rows, bytes: in the archive.
        in_clickhouse: rows that are in ClickHouse as well, and were compared.
        wrong: what is not as it should be; None when all is.
    """

    table: str
    pieces: int
    rows: int
    bytes: int
    in_clickhouse: int
    wrong: str | None


def check_day(archive: Archive, day: date) -> list[Proof]:
    """Read every file of `day` with DuckDB and compare; changes nothing.

    Raises:
        UserError: the day is not archived.
        RetryLater, Permanent: a neighbour is away, or refuses.
    """
    proofs = []
    for table in TABLES:
        standing = settle(archive, table, day)
        if not standing.manifests:
            raise UserError(f"{day} is not in the archive; `millrace archive list` shows what is")
        proofs.append(_prove(archive, table, day, standing))
    return proofs


def _prove(archive: Archive, table: RawTable, day: date, standing: Standing) -> Proof:
    manifests = list(standing.manifests.values())
    rows, size = (sum(getattr(each, name) for each in manifests) for name in ("rows", "bytes"))
    wrong = next((found for each in manifests if (found := _wrong(archive, folder(table, day), each))), None)
    present = standing.having("verified")
    there = _there(archive, table, day, present)
    if wrong is None and (differs := summed(present).difference(there)):
        wrong = f"{table.name} has {differs} than the archive; `millrace archive run {day}` archives it anew"
    return Proof(table.name, len(manifests), rows, size, there.rows, wrong)


def _wrong(archive: Archive, where: str, manifest: Manifest) -> str | None:
    if found := damage(archive.store, where, manifest):
        return found
    try:
        held = read_contents(archive.store, [f"{where}/{file.name}" for file in manifest.files], manifest.described)
    except Permanent as error:
        return str(error)
    differs = manifest.contents.difference(held)
    return f"the files of {manifest.piece} hold {differs}" if differs else None


def _there(archive: Archive, table: RawTable, day: date, present: list[Manifest]) -> Contents:
    columns = present[0].described if present else ()
    with mapped_errors():
        return contents_on(archive.client, table.name, day, columns)
