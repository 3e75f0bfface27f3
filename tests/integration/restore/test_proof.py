"""The proof: what restores is said to, and what does not is named."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest
from metadata_proof.errors import ProofError
from metadata_proof.proof import Proof, prove
from metadata_proof.scratch import scratch_database
from metadata_proof.whole import check_provable, restoring
from metadata_restore.database import Address, naming
from metadata_restore.errors import ObjectsUnavailableError, UncertainError
from metadata_restore.fill import Watcher
from metadata_restore.objects import Objects
from metadata_restore.plan import RestorePlan
from psycopg.conninfo import conninfo_to_dict

from tests.contracts import violations
from tests.integration.completeness.databases import Databases
from tests.integration.restore.conftest import Export, execute, export_of, numbered, with_schema
from tests.integration.restore.test_fill import damaged

VERSION = "3.3.1"


@pytest.fixture(scope="module")
def exported(databases: Databases) -> Export:
    source, _ = databases.aged(VERSION)
    return with_schema(export_of(numbered(source)), source)


@pytest.fixture
def export(exported: Export) -> Export:
    """An export that a test may damage."""
    return Export(exported.plan, dict(exported.objects))


def proof_of(export: Export, databases: Databases, *damage: str) -> Proof:
    """Prove an export, where something goes wrong in the database once it is restored."""

    def restore(address: Address, objects: Objects, plan: RestorePlan) -> Mapping[str, int]:
        left_out = restoring(Watcher())(address, objects, plan)
        execute(address.conninfo, *damage)
        return left_out

    @contextmanager
    def scratch() -> Iterator[Address]:
        yield Address(databases.server.create_database("scratch", template="template0"))
        databases.server.drop_database("scratch")

    proof = prove(export.plan, export, scratch, restore)
    assert violations("proof", proof.to_json()) == []
    return proof


def test_given_an_export_when_restored_into_a_postgresql_of_its_own_then_it_is_proven(export: Export) -> None:
    folders = []

    @contextmanager
    def scratch() -> Iterator[Address]:
        with scratch_database() as address:
            folders.append(conninfo_to_dict(address.conninfo)["host"])
            yield address

    proof = prove(export.plan, export, scratch, restoring(Watcher()))

    assert (proof.restorable, proof.problems, proof.notes) == (True, (), ())
    assert (proof.tables, proof.contents, proof.rows) == (len(export.plan.tables), proof.tables, export.plan.rows)
    assert proof.constraints > 100
    assert proof.sequences > 10
    assert not Path(str(folders[0])).exists()  # nothing is left of the server


PROVING = """
import sys, time
from metadata_proof.scratch import scratch_database
from export_cli import __main__ as cli

def prove():
    with scratch_database() as address:
        print(address.conninfo.split()[0].removeprefix("host="), flush=True)
        time.sleep(60)

cli.main = prove
cli.run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_given_a_signal_while_proven_when_ended_then_nothing_is_left_of_the_server(number: signal.Signals) -> None:
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    proving = subprocess.Popen([sys.executable, "-c", PROVING], stdout=PIPE, stderr=DEVNULL, env=os.environ | paths)
    assert proving.stdout
    with proving.stdout as said:
        folder = Path(said.readline().decode().strip())
    [server, *_] = (folder / "data" / "postmaster.pid").read_text().split()

    proving.send_signal(number)

    assert proving.wait(60) != 0
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(server), 0)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM log WHERE id = (SELECT max(id) FROM log)", "the table log has .* rows, the export recorded"),
        ("UPDATE dag_run SET run_type = overlay(run_type placing 'X' from 1) WHERE id = (SELECT min(id) FROM dag_run)",
         "the content of dag_run is not what was exported"),
        ("UPDATE variable SET val = val || ' '", "the content of variable is not what was exported"),
        ("DROP TABLE import_error CASCADE", "the table import_error is not there"),
        ("ALTER TABLE log ADD CONSTRAINT later CHECK (id > 0) NOT VALID", "later of public.log is not valid"),
        ("ALTER SEQUENCE log_id_seq RESTART WITH 1", "the sequence log_id_seq gives out 1 next, but log.id has"),
    ],
    ids=["a lost row", "a changed byte", "a blank more", "a missing table", "an unchecked constraint", "a sequence"],
)  # fmt: skip
def test_given_what_went_wrong_in_a_restore_when_proven_then_it_is_named(
    export: Export, databases: Databases, statement: str, named: str
) -> None:
    proof = proof_of(export, databases, statement)

    assert not proof.restorable
    assert len(proof.problems) == 1
    assert re.search(named, proof.problems[0]), proof.problems


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda export: damaged(export, "exports/xcom.csv.gz"), "exports/xcom.csv.gz"),
        (lambda export: export.objects.pop("exports/dag.csv.gz"), "exports/dag.csv.gz does not exist"),
    ],
    ids=["altered", "missing"],
)
def test_given_a_bad_object_when_proven_then_it_is_named(
    export: Export, databases: Databases, damage: Callable[[Export], object], named: str
) -> None:
    damage(export)

    [problem] = proof_of(export, databases).problems

    assert problem.startswith("it does not restore: ")
    assert named in problem


def test_given_an_export_without_checksums_of_content_when_proven_then_it_says_what_was_not_compared(
    export: Export, databases: Databases
) -> None:
    tables = tuple(replace(table, content_checksum=None) for table in export.plan.tables)
    export.plan = replace(export.plan, tables=tables, masked_columns={"connection": ("password", "extra")})

    proof = proof_of(export, databases)

    assert (proof.restorable, proof.contents, len(proof.notes)) == (True, 0, len(tables) + 1)
    assert proof.notes[-1] == "connection: the values of password, extra were not exported (MaskColumns)"


def test_given_a_store_that_does_not_answer_when_proven_then_nothing_is_claimed(export: Export) -> None:
    def restore(address: Address, objects: Objects, plan: RestorePlan) -> Mapping[str, int]:
        raise ObjectsUnavailableError("the bucket does not answer")

    with pytest.raises(ProofError, match="does not answer"):
        prove(export.plan, export, lambda: nullcontext(Address("host=/nowhere")), restore)


@pytest.mark.parametrize("fault", ["the disk is full", "the server is gone", "it ends while it is undone"])
def test_given_a_scratch_database_that_is_not_able_to_when_proven_then_nothing_is_claimed(
    fault: str, export: Export, databases: Databases
) -> None:
    def restore(address: Address, objects: Objects, plan: RestorePlan) -> Mapping[str, int]:
        if fault == "it ends while it is undone":
            raise UncertainError("It could not be dropped")
        with address.connected() as connection, naming("make the table dag"):
            if fault == "the disk is full":
                connection.execute("DO $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$")
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        raise AssertionError

    with pytest.raises(ProofError, match=f"nothing is known of the export {export.plan.export_id}"):
        prove(export.plan, export, lambda: nullcontext(Address(databases.empty(VERSION))), restore)


def test_given_an_export_from_before_schemas_when_proven_then_it_says_that_nothing_is_known(export: Export) -> None:
    with pytest.raises(ProofError, match="carries no schema"):
        check_provable(replace(export.plan, schema=None))
