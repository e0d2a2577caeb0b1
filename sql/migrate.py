"""Apply the numbered migrations in order, each once; a second run changes nothing.

Every statement is idempotent, so a migration that died half-way is simply run again. What was applied
is recorded in `ops.migrations` with a checksum: an applied file that was edited later is refused.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.errors import Permanent
from contracts.settings import Settings
from sql.cluster import on_cluster, render
from sql.grants import GRANTS, grant_statements, limit_statement

MIGRATIONS = Path(__file__).parent / "migrations"
_LEDGER = """CREATE TABLE IF NOT EXISTS ops.migrations {on_cluster}
(version UInt32, name String, checksum String, applied_at DateTime DEFAULT now())
ENGINE = {replacing} ORDER BY version"""


@dataclass(frozen=True)
class Migration:
    """One numbered file: its version, its name and its statements rendered for one node or a cluster."""

    version: int
    name: str
    statements: tuple[str, ...]
    checksum: str


def load(settings: Settings, folder: Path = MIGRATIONS) -> list[Migration]:
    """Return the migrations of `folder` in order.

    Raises:
        Permanent: a file is misnamed or two have one number.
    """
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        number = re.match(r"(\d{4})_\w+\.sql$", path.name)
        if not number or int(number.group(1)) in found:
            raise Permanent(f"{path.name}: migrations are named NNNN_words.sql, each number once")
        text = path.read_text()
        version = int(number.group(1))
        checksum = hashlib.sha256(text.encode()).hexdigest()[:16]
        found[version] = Migration(version, path.stem, _statements(text, settings), checksum)
    return list(found.values())


def migrate(client: Client, settings: Settings, *, dry_run: bool = False) -> list[Migration]:
    """Apply what is not applied yet and return it; with `dry_run` only return it.

    Raises:
        RetryLater: ClickHouse cannot be reached.
        Permanent: a statement is refused, or an applied migration was edited.
    """
    with mapped_errors():
        applied = _applied(client)
        todo = []
        for migration in load(settings):
            known = applied.get(migration.version)
            if known is None:
                todo.append(migration)
            elif known != migration.checksum:
                raise Permanent(
                    f"migration {migration.name} was edited after it was applied; "
                    "undo the edit and write a new migration instead"
                )
        for migration in [] if dry_run else todo:
            _apply(client, settings, migration)
        return todo


def apply_roles(client: Client, settings: Settings) -> bool:
    """Create the roles and their grants in SQL; return False where the server keeps users in files.

    Raises:
        RetryLater, Permanent: as `migrate`.
    """
    with mapped_errors():
        if not client.query(
            "SELECT count() FROM system.user_directories WHERE type IN ('local_directory', 'replicated')"
        ).result_rows[0][0]:
            return False
        cluster = on_cluster(settings)
        for role in GRANTS:
            client.command(f"CREATE ROLE IF NOT EXISTS {role} {cluster}")
            for statement in grant_statements(role, is_sharded=bool(settings.clickhouse_cluster)):
                client.command(statement.replace("GRANT ", f"GRANT {cluster} ", 1))
            limits = limit_statement(role)
            if limits:
                client.command(limits.replace(f"ROLE {role}", f"ROLE {role} {cluster}", 1))
    return True


def _apply(client: Client, settings: Settings, migration: Migration) -> None:
    for statement in migration.statements:
        client.command(statement)
    for statement in render(_LEDGER, settings):
        client.command(statement)
    client.command(
        "INSERT INTO ops.migrations (version, name, checksum) VALUES",
        data=f"({migration.version}, '{migration.name}', '{migration.checksum}')",
    )


def _applied(client: Client) -> dict[int, str]:
    exists = client.query("EXISTS TABLE ops.migrations").result_rows[0][0]
    if not exists:
        return {}
    rows = client.query("SELECT version, checksum FROM ops.migrations FINAL").result_rows
    return {int(version): str(checksum) for version, checksum in rows}


def _statements(text: str, settings: Settings) -> tuple[str, ...]:
    code = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
    parts = [part.strip() for part in code.split(";") if part.strip()]
    return tuple(statement for part in parts for statement in render(part, settings))
