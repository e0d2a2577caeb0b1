"""`millrace migrate`: apply the DDL."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.clickhouse import connect
from contracts.settings import load_settings
from sql.migrate import apply_roles
from sql.migrate import migrate as apply_migrations


def migrate(
    dry_run: Annotated[bool, typer.Option(help="Print the statements and change nothing.")] = False,
) -> None:
    """Create or update the tables and roles in ClickHouse; a second run changes nothing."""
    settings = load_settings()
    with connect(settings) as client:
        todo = apply_migrations(client, settings, dry_run=dry_run)
        for migration in todo:
            typer.echo(f"{'would apply' if dry_run else 'applied'} {migration.name}")
            if dry_run:
                typer.echo("".join(f"{statement};\n\n" for statement in migration.statements))
        if not todo:
            typer.echo("nothing to apply")
        if not dry_run and not apply_roles(client, settings):
            typer.echo("roles: this server keeps users in files, so roles and grants come from its users file")
