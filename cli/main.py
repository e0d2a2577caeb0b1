"""`millrace`: the commands in the order of the data, and how their errors meet the user."""

from __future__ import annotations

import errno
import sys
from importlib import import_module

import typer

# Typer carries its own click; these are the exceptions that its commands really raise.
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from contracts.errors import MillraceError, UserError

# In the order of the help. Each is the function of its name in the module of its name, or that module's `app`.
COMMANDS = (
    *("demo", "up", "status", "doctor", "migrate"),
    *("produce", "replay", "ingest", "dead-letters", "rewind", "audit", "events", "dashboard"),
    "alerts",
    *("archive", "restore"),
)

_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
_USAGE, _FAILED, _INTERRUPTED = 2, 1, 130


def make_app(wanted: str | None = None) -> typer.Typer:
    """Return the program with the wanted command, or with all of them when there is no command of that name.

    Importing what other commands need would cost a worker 60 MB and a second.
    """
    app = typer.Typer(
        name="millrace",
        help="Real-time clickstream analytics: Kafka to ClickHouse to dbt, kept fresh and checked by Dagster.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    # Without it, Typer would take a single command for the program itself.
    app.callback()(lambda: None)
    for name in (wanted,) if wanted in COMMANDS else COMMANDS:
        module = import_module(f"cli.{name.replace('-', '_')}")
        if hasattr(module, "app"):
            app.add_typer(module.app)
        else:
            app.command()(getattr(module, name))
    return app


def main() -> None:
    """Run the command; a user's mistake is one line and exit code 2, never a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code."""
    try:
        code = make_app(arguments[0] if arguments else None)(arguments, standalone_mode=False)
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
