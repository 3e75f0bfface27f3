"""The Glue run that tries an export: restores it into a PostgreSQL of the run's own, and says what became of that.

AWS assumed: the user of a Glue run has an entry in /etc/passwd, which PostgreSQL's initdb asks for.

It succeeds when it could be tried; that the export does not restore is an outcome like any other, and stands in the
proof (docs/contracts/README.md has its arguments). It knows no database but its own.
"""

import argparse
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from metadata_export import log
from metadata_export.aws import s3_client
from metadata_export.errors import describe
from metadata_restore.database import Address
from metadata_restore.errors import RestoreError
from metadata_restore.fill import Watcher
from metadata_restore.s3_objects import S3Objects

from metadata_proof import documents
from metadata_proof.archive import unpacked
from metadata_proof.errors import ProofError
from metadata_proof.proof import Proof, prove
from metadata_proof.scratch import scratch_database
from metadata_proof.whole import check_provable, restoring

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 4  # as many as the smallest worker has processors


@dataclass(frozen=True)
class Arguments:
    """The job's arguments."""

    region: str
    plan_uri: str
    proof_uri: str
    database_uri: str


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Return the arguments; those that Glue adds are left alone.

    Raises:
        ProofError: naming what is missing.
    """
    parser = argparse.ArgumentParser(exit_on_error=False, add_help=False, allow_abbrev=False)
    for name in ("AWS_REGION", "DRILL_PLAN", "DRILL_PROOF", "DATABASE_URI"):
        parser.add_argument(f"--{name}")
    found, _ = parser.parse_known_args(list(argv))
    if missing := [name for name, value in vars(found).items() if not value]:
        raise ProofError(f"the job lacks the arguments {', '.join(missing)}: start it from its state machine")
    return Arguments(found.AWS_REGION, found.DRILL_PLAN, found.DRILL_PROOF, found.DATABASE_URI)


def main(argv: Sequence[str]) -> None:
    """Try the export.

    Raises:
        ProofError: it could not be tried; its one line is what Glue shows as the run's ErrorMessage.
    """
    try:
        _try(parse_arguments(argv))
    except ProofError:
        raise
    except RestoreError as error:
        raise ProofError(f"{error} - the export was not tried") from error
    except Exception as error:
        raise ProofError(f"unexpected {describe(error)} - nothing is known of the export") from error


def _try(arguments: Arguments) -> None:
    log.configure({"plan": arguments.plan_uri})
    s3 = s3_client(arguments.region)
    plan = documents.read_plan(s3, arguments.plan_uri)
    check_provable(plan)
    log.info(f"trying the export {plan.export_id}", tables=len(plan.tables), rows=plan.rows)

    @contextmanager
    def scratch() -> Iterator[Address]:
        archive = io.BytesIO(documents.read(s3, arguments.database_uri))
        with unpacked(archive) as package, scratch_database(package) as address:
            yield address

    watcher = Watcher(table=lambda name: log.info(f"loading {name}", table=name))
    restore = restoring(watcher, CONNECTIONS)
    proof = prove(plan, S3Objects(s3, plan.bucket), scratch, restore, lambda name: log.info(f"comparing {name}"))
    for problem in proof.problems:
        log.warning(problem)
    _record(s3, arguments.proof_uri, proof)


def _record(s3: "S3Client", uri: str, proof: Proof) -> None:
    try:
        documents.write(s3, uri, proof.to_json())
    except (ClientError, BotoCoreError) as error:
        raise ProofError(f"the export was tried, but the proof {uri} cannot be written: {error}") from error
    outcome = "restores" if proof.restorable else "does not restore"
    log.info(f"the export {proof.export_id} {outcome}: the proof is {uri}", rows=proof.rows, contents=proof.contents)
