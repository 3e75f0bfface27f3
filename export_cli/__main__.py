"""Entry point: `mwaa-metadata-export`, or `python -m export_cli`."""

import os
import signal
import sys
import traceback
from collections.abc import Sequence

import click
from export_runtime.errors import ExportError
from export_runtime.text import one_line
from export_runtime.version import VERSION

from export_cli.commands.compare import diff
from export_cli.commands.costs import cost
from export_cli.commands.doctor import doctor
from export_cli.commands.export import export
from export_cli.commands.insights import insights
from export_cli.commands.keep import keep, release
from export_cli.commands.listing import list_exports
from export_cli.commands.prove import prove
from export_cli.commands.publish import publish
from export_cli.commands.query import query
from export_cli.commands.redrive import redrive
from export_cli.commands.repair import repair
from export_cli.commands.restore import restore
from export_cli.commands.show import show
from export_cli.commands.verify import verify
from export_cli.errors import AWS, FAULT, INTERRUPTED, LOCAL, NOBODY_READS, OK, exit_code
from export_cli.login import asked_profile, login_advice
from export_cli.output import output_goes_nowhere, print_anything

TRACEBACK = "MWAA_EXPORT_TRACEBACK"

_EPILOG = """\b
Exit codes:
  0    all is well
  1    what was checked is bad: export incomplete, object damaged, exports differ
  2    wrong option or argument
  3    AWS refused or did not answer, or there are no credentials
  4    there is no such stack, export or report
  5    this machine: a file or the output cannot be written, the disk is full
  6    the database to restore into cannot be reached, or refuses
  7    another export is at work, so nothing was started
  70   a fault of this program
  130  interrupted: by Ctrl-C, SIGTERM, or a terminal that was closed
  141  whoever read the output has gone"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, message="mwaa-metadata-export %(version)s")
def cli() -> None:
    """Look after the exports of an Amazon MWAA environment's metadata database.

    An EXPORT is named by its id (20261211T143022Z, see the command list), by `latest` (the newest COMPLETE one that is
    full: it covers the tables and the age that the stack's parameters ask for) or by `newest` (whatever it is).
    """


_COMMANDS = (
    doctor, export, redrive, list_exports, show, keep, release, verify, diff, cost, query, insights, restore, prove,
    publish, repair,
)  # fmt: skip
for _command in _COMMANDS:
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 1 only for what the command found, never for what went wrong."""
    print_anything()
    code = _attempt(arguments)
    try:
        if sys.stdout:  # here, where a failure can still be reported; Python's own flush comes too late
            sys.stdout.flush()
    except OSError as error:
        code = _lost(error)
    return code


def _attempt(arguments: Sequence[str] | None) -> int:
    try:
        result = cli.main(args=arguments, prog_name="mwaa-metadata-export", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _told("Interrupted.", INTERRUPTED)
    except ExportError as error:
        return _told(f"Error: {login_advice(error, asked_profile(arguments)) or error}", exit_code(error))
    except OSError as error:
        return _lost(error)
    except SystemExit as error:  # the end of shell completion; or click turns a broken pipe into this, with code 1
        return OK if error.code in (None, OK) else _lost(BrokenPipeError())
    except Exception as error:
        return _fault(error)
    return result if isinstance(result, int) else 0


def _told(line: str, code: int) -> int:
    click.echo(line, err=True)
    return code


def _lost(error: OSError) -> int:
    """Return the exit code for an error of the operating system; what is still to be printed is discarded."""
    if isinstance(error, ConnectionError | TimeoutError) and not isinstance(error, BrokenPipeError):
        return _told(f"Error: The connection broke ({one_line(str(error), 300)}). Try again.", AWS)
    if error.filename is None:
        output_goes_nowhere()
    if isinstance(error, BrokenPipeError):
        return NOBODY_READS
    what = one_line(str(error.filename or "the output"), 300)
    advice = "Make room for it or choose another place, then run the command again."
    return _told(f"Error: Could not write {what}: {error.strerror or error}. {advice}", LOCAL)


def _fault(error: Exception) -> int:
    if os.environ.get(TRACEBACK):
        traceback.print_exc()
    what = f"{type(error).__name__}: {one_line(str(error), 500)}"
    return _told(f"Error: {what}. This is a fault of the program: report it with what {TRACEBACK}=1 shows.", FAULT)


def run() -> None:
    """Run a command and end the process with its exit code.

    Who ends it by a signal, or closes its terminal, leaves no more behind than who presses Ctrl-C.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup has SIGHUP ignored
            signal.signal(number, signal.default_int_handler)
    sys.exit(main())


if __name__ == "__main__":
    run()
