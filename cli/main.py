"""`millrace`: the program, and how its errors meet the user."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module

import typer

# Typer carries its own click; these are the exceptions that its commands really raise.
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError
from typer._completion_classes import completion_init

from cli.commands import COMMANDS, Grouped, stand_in
from contracts.errors import MillraceError, RetryLater, UserError

_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
_USAGE, _FAILED, _INTERRUPTED, _BROKEN_PIPE = 2, 1, 130, 141
_DOCTOR = "`millrace doctor` tests each connection and says how to mend it"


def make_app(*wanted: str) -> typer.Typer:
    """Return the program with the wanted commands; of the others it has the names and their lines of help.

    Importing what other commands need would cost a worker 60 MB and a second, and the help two seconds.
    """
    app = typer.Typer(
        name="millrace",
        cls=Grouped,
        help="Real-time clickstream analytics: Kafka to ClickHouse to dbt, kept fresh and checked by Dagster.",
        epilog="`millrace COMMAND --help` says more; docs/commands.md has all of it on one page.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name in COMMANDS:
        if name not in wanted:
            stand_in(app, name)
            continue
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
        program = make_app(*(arguments or _words_to_complete())[:1])
        code = program(arguments, prog_name="millrace", standalone_mode=False)
    except NoArgsIsHelpError as error:
        sys.stdout.write(error.format_message() + "\n")
        return _USAGE
    except BrokenPipeError:
        return _unheard()
    except (ClickException, MillraceError, OSError) as error:
        return _fail(*_explained(error))
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    return int(code or 0)


def _explained(error: ClickException | MillraceError | OSError) -> tuple[str, int]:
    """Return what is wrong and what to do in one line, and the exit code; a fault of ours is raised again."""
    if isinstance(error, ClickException):
        where = error.ctx.command_path if isinstance(error, UsageError) and error.ctx else "millrace"
        return f"{error.format_message()} (see `{where} --help`)", _USAGE
    if isinstance(error, MillraceError):
        hint = f" ({_DOCTOR})" if isinstance(error, RetryLater) else ""
        return f"{error}{hint}", _USAGE if isinstance(error, UserError) else _FAILED
    if error.errno in _DISK_IS_FULL:
        return f"{error.filename or 'a file'} cannot be written: {error.strerror}; free some space", _FAILED
    if not error.filename:
        raise error
    return f"{error.filename} cannot be used: {error.strerror}; choose another path, or mend its rights", _FAILED


def _unheard() -> int:
    """End quietly: the reader (`head`, for one) has what it wanted; closing stdout at exit must not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _BROKEN_PIPE


def _words_to_complete() -> list[str]:
    """Return what stands on the line that a shell asks to complete, without the program's name."""
    completion_init()
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"millrace: {' '.join(text.split())}\n")
    return code


if __name__ == "__main__":
    main()
