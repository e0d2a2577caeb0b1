"""`millrace`: the commands in the order of the data, and how their errors meet the user."""

from __future__ import annotations

import errno
import sys

import typer

# Typer carries its own click; these are the exceptions that its commands really raise.
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from cli.audit import audit
from cli.demo import demo
from cli.doctor import doctor
from cli.ingest import ingest
from cli.migrate import migrate
from cli.produce import produce
from cli.replay import replay
from cli.status import status
from cli.up import up
from contracts.errors import MillraceError, UserError

app = typer.Typer(
    name="millrace",
    help="Real-time clickstream analytics: Kafka to ClickHouse to dbt, kept fresh and checked by Dagster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (demo, up, status, doctor, migrate, produce, replay, ingest, audit):
    app.command()(command)

_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
_USAGE, _FAILED, _INTERRUPTED = 2, 1, 130


def main() -> None:
    """Run the command; a user's mistake is one line and exit code 2, never a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code."""
    try:
        code = app(arguments, standalone_mode=False)
    except NoArgsIsHelpError as error:
        sys.stdout.write(error.format_message() + "\n")
        return _USAGE
    except ClickException as error:
        return _fail(f"{error.format_message()} (see `millrace --help`)", _USAGE)
    except MillraceError as error:
        return _fail(str(error), _USAGE if isinstance(error, UserError) else _FAILED)
    except OSError as error:
        if error.errno not in _DISK_IS_FULL:
            raise
        return _fail(f"{error.filename or 'a file'} cannot be written: {error.strerror}; free some space", _FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    return int(code or 0)


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"millrace: {' '.join(text.split())}\n")
    return code


if __name__ == "__main__":
    main()
