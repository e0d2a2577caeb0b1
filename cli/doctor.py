"""`millrace doctor`: what works, what does not, and how to mend it."""

from __future__ import annotations

import dataclasses
import json

import typer

from cli.output import AsJson
from contracts.settings import load_settings
from local.doctor import examine


def doctor(
    as_json: AsJson = False,
) -> None:
    """Test each connection (Kafka, ClickHouse, Slack), the disk and the versions; exit 1 if one fails."""
    findings = examine(load_settings())
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.works else 'FAIL'}  {finding.name:<14} {finding.seen}")
            if not finding.works:
                typer.echo(f"      {'':<14} to mend it: {finding.remedy}")
    if not all(finding.works for finding in findings):
        raise typer.Exit(1)
