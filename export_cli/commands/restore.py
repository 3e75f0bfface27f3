"""`restore`: an export into a PostgreSQL database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import click
from export_contracts.restore_plan import restore_plan
from export_runtime.figures import count
from metadata_restore.create import JOBS, create, look_at_create
from metadata_restore.database import Address
from metadata_restore.errors import (
    FernetKeyError,
    ObjectsUnavailableError,
    RestoreError,
    TargetError,
    UncertainError,
)
from metadata_restore.fernet import Keys, check_keys
from metadata_restore.fill import Examination, Outcome, Watcher, fill, look_at_fill
from metadata_restore.keys import make_keys
from metadata_restore.options import FAIL, KEEP, Options
from metadata_restore.plan import RestorePlan
from metadata_restore.s3_objects import S3Objects

from export_cli.environment_restore import restore_into_environment
from export_cli.errors import (
    BAD,
    OK,
    FailedRestoreError,
    InvalidOptionError,
    UnreachableTargetError,
    UnreadableObjectsError,
)
from export_cli.exports import LATEST
from export_cli.fernet_keys import FORMS, read_key
from export_cli.options import Session, with_session
from export_cli.restore_screen import outcome_document, plan_document, show_outcome, show_plan
from export_cli.screen import Screen

_UNCHANGED = "Nothing was changed in the target."
CREATE = "create"
FILL = "fill"
Restoring = Callable[[Address, S3Objects, RestorePlan, Options, Keys | None, Watcher], Outcome]


@click.command()
@click.argument("export", default=LATEST)
@click.option(
    "--to", metavar="URL",
    help="The target: postgresql://user@host:5432/database. A password is better in PGPASSWORD or ~/.pgpass.",
)  # fmt: skip
@click.option("--to-environment", metavar="NAME", help="Instead: an MWAA environment, by its stack's state machine.")
@click.option(
    "--mode", type=click.Choice([FILL, CREATE]), default=FILL, show_default=True,
    help="Fill what Airflow has migrated, in one transaction; or make the exported database in an empty one, faster.",
)  # fmt: skip
@click.option(
    "--jobs", "-j", type=click.IntRange(1, 16), default=JOBS, show_default=True, help="Connections of --mode create."
)
@click.option("--table", "-t", "tables", multiple=True, metavar="NAME", help="This table only. May be repeated.")
@click.option("--dry-run", is_flag=True, help="Show the plan and what speaks against it, and end.")
@click.option("--paused/--as-exported", default=True, help="All DAGs paused (default), or as they were.")
@click.option(
    "--unfinished", type=click.Choice([FAIL, KEEP]), default=FAIL, show_default=True,
    help="What becomes of unfinished runs and tasks: failed with a note, or kept: Airflow then runs them.",
)  # fmt: skip
@click.option("--old-fernet-key", metavar="SOURCE", help=f"Where the exported environment's key is: {FORMS}.")
@click.option("--fernet-key", metavar="SOURCE", help="Where the target's key is, likewise.")
@click.option("--without-orphans", is_flag=True, help="Leave out rows that refer to a row which does not exist.")
@click.option("--replace", is_flag=True, help="Empty tables of the target that have rows.")
@click.option("--while-running", is_flag=True, help="Although Airflow is running on the target.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@with_session
def restore(
    session: Session, export: str, to: str | None, to_environment: str | None, mode: str, jobs: int,
    tables: tuple[str, ...], dry_run: bool, paused: bool, unfinished: str, old_fernet_key: str | None,
    fernet_key: str | None, without_orphans: bool, replace: bool, while_running: bool, yes: bool,
) -> int:  # fmt: skip
    """Restore an EXPORT into a PostgreSQL database: an empty one, or one that Airflow has migrated. Default: latest.

    With --to-environment into a running MWAA environment: by a state machine of its stack, which is followed.

    Everything is restored, or nothing. The plan is shown first. Every object's checksum is compared
    before anything is committed, and no file is written.
    """
    if to_environment is not None:
        _must_be_of_an_environment(to)
        fields: dict[str, Any] = {"tables": list(tables)} if tables else {}
        fields |= {"paused": paused, "unfinished": unfinished, "without_orphans": without_orphans}
        return restore_into_environment(session, export, to_environment, fields, old_fernet_key, yes)
    if to is None:
        raise InvalidOptionError("Where to? Say --to URL, or --to-environment NAME.")
    options = Options(paused, unfinished, without_orphans, replace, while_running)
    with _translated():
        address = Address(to)
        old = read_key(session.aws, "--old-fernet-key", old_fernet_key)
        keys = make_keys(old, read_key(session.aws, "--fernet-key", fernet_key))
    target = session.target()
    summary = session.exports(target).find(export).read()
    bucket = target.where().bucket
    plan = RestorePlan.from_json(restore_plan(summary, bucket, tables))
    objects = S3Objects(session.aws.client("s3"), bucket)
    with _translated(), session.screen.waiting("looking at the target"):
        found = (look_at_create if mode == CREATE else look_at_fill)(address, plan, options)
        encrypted = check_keys(objects, plan, keys, lambda size: None) if keys and not found.refusals else None
    how = f"with {jobs} connections" if mode == CREATE else "in one transaction"
    show_plan(session.screen, summary, plan, found, options, encrypted, how)
    document = plan_document(plan, found, dry_run)
    if found.refusals or dry_run:
        if session.screen.as_json:
            session.screen.document(document)
        return BAD if found.refusals else OK
    _confirm(session.screen, found, yes)
    with _translated():
        restore_it: Restoring = partial(create, jobs=jobs) if mode == CREATE else fill
        outcome = _run(session.screen, address, objects, plan, options, keys, restore_it)
    if session.screen.as_json:
        session.screen.document(document | outcome_document(outcome))
    show_outcome(session.screen, found, outcome)
    return OK


def _must_be_of_an_environment(to: str | None) -> None:
    """Refuse options that are of a database that is reached from here.

    Raises:
        InvalidOptionError: naming them.
    """
    context, given = click.get_current_context(), click.core.ParameterSource.COMMANDLINE
    names = ("mode", "jobs", "dry_run", "fernet_key", "replace", "while_running")
    wrong = [f"--{name.replace('_', '-')}" for name in names if context.get_parameter_source(name) is given]
    if wrong := (["--to"] if to is not None else []) + wrong:
        raise InvalidOptionError(f"With --to-environment there is no {', '.join(wrong)}: the state machine decides.")


def _run(
    screen: Screen, address: Address, objects: S3Objects, plan: RestorePlan, options: Options, keys: Keys | None,
    restore_it: Restoring,
) -> Outcome:  # fmt: skip
    with screen.progress("restoring", plan.object_bytes) as bar:
        watcher = Watcher(bar.describe, bar.advance, lambda seconds: bar.describe("waiting for locks"))
        try:
            return restore_it(address, objects, plan, options, keys, watcher)
        except KeyboardInterrupt:
            click.echo(_UNCHANGED, err=True)
            raise


def _confirm(screen: Screen, found: Examination, yes: bool) -> None:
    if yes:
        return
    if screen.as_json or not click.get_text_stream("stdin").isatty():
        raise InvalidOptionError("Nobody can be asked here: look at the plan with --dry-run, then say --yes.")
    lost = f" {count(len(found.emptied))} tables are overwritten." if found.emptied else ""
    click.confirm(f"Restore into {found.target.place}?{lost}", abort=True, err=True)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the engine's errors into those of the command line, and say that nothing was changed where that is so."""
    try:
        yield
    except UncertainError as error:
        raise UnreachableTargetError(str(error)) from error
    except TargetError as error:
        raise UnreachableTargetError(_unchanged(error)) from error
    except ObjectsUnavailableError as error:
        raise UnreadableObjectsError(_unchanged(error)) from error
    except FernetKeyError as error:
        raise InvalidOptionError(_unchanged(error)) from error
    except RestoreError as error:
        raise FailedRestoreError(_unchanged(error)) from error


def _unchanged(error: RestoreError) -> str:
    told = str(error)
    return f"{told}{'' if told.endswith(('.', '?', '!')) else '.'} {_UNCHANGED}"
