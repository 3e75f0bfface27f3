"""Entry point: `mwaa-metadata-export`, or `python -m mwaa_metadata_export`."""

import sys
from collections.abc import Sequence

import click
from export_contracts.errors import ExportError

from mwaa_metadata_export.commands.compare import diff
from mwaa_metadata_export.commands.costs import cost
from mwaa_metadata_export.commands.doctor import doctor
from mwaa_metadata_export.commands.export import export
from mwaa_metadata_export.commands.listing import list_exports
from mwaa_metadata_export.commands.show import show
from mwaa_metadata_export.commands.verify import verify
from mwaa_metadata_export.errors import INTERRUPTED, exit_code

_EPILOG = """\b
Exit codes:
  0    all is well
  1    what was checked is bad: export incomplete, object damaged, exports differ
  2    wrong option or argument
  3    AWS refused or did not answer, or there are no credentials
  4    there is no such stack, export or report
  130  interrupted by Ctrl-C"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Look after the exports of an Amazon MWAA environment's metadata database.

    An EXPORT is named by its id (20261211T143022Z, see the command list), by `latest` (the newest COMPLETE one that is
    full: it covers the tables and the age that the stack's parameters ask for) or by `newest` (whatever it is).
    """


for _command in (doctor, export, list_exports, show, verify, diff, cost):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    try:
        result = cli.main(args=arguments, prog_name="mwaa-metadata-export", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except ExportError as error:
        click.echo(f"Error: {error}", err=True)
        return exit_code(error)
    return result if isinstance(result, int) else 0


def run() -> None:
    """Run a command and end the process with its exit code."""
    sys.exit(main())


if __name__ == "__main__":
    run()
