"""What happens to the assets when the stack is created, updated or deleted."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from export_runtime.errors import AwsCallError
from publish_assets.errors import ForeignObjectError, MissingAssetError
from publish_assets.properties import parse_properties
from publish_assets.resource import NOTHING_PUBLISHED, apply, resource_id_of

from tests.unit.lambdas.publish_assets.cases import OTHER_STACK, PROPERTIES, STACK, WITH_DAG, request_for

FILES = {
    "mwaa_metadb_export.py": b"script",
    "mwaa_metadata_export.py": b"dag",
    "python3.11.gluewheels.zip": b"wheels 3.11",
    "python3.13.gluewheels.zip": b"wheels 3.13",
    "postgresql.tar.xz": b"database",
}
DRILLS = {
    **WITH_DAG,
    "Database": "arn:aws:lambda:eu-central-1:123456789012:layer:prod-metadata-export-drill-database:1",
}
DAG_KEY = "dags/mwaa_metadata_export.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a package's assets."""
    for name, body in FILES.items():
        (tmp_path / name).write_bytes(body)
    return tmp_path


@pytest.fixture
def buckets(s3):
    """Give the export bucket and the environment's."""
    s3.create_bucket(Bucket="dag-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return s3


def run(kind: str, properties: dict, client, folder: Path, stack: str = STACK) -> dict[str, str]:
    """Carry out a request as the handler does."""
    resource_id = parse_properties(properties).resource_id
    event = request_for(kind, properties, resource_id if kind != "Create" else "", stack)
    return apply(event, resource_id_of(event), client, [folder])


def keys(client, bucket: str) -> set[str]:
    """Return what is in a bucket."""
    return {found["Key"] for found in client.list_objects_v2(Bucket=bucket).get("Contents", [])}


def read(client, uri: str) -> bytes:
    """Return the content of an object."""
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()


def digest(body: bytes) -> str:
    """Return the folder that content goes to."""
    return hashlib.sha256(body).hexdigest()[:16]


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_given_a_new_stack_then_script_and_wheels_of_its_python_are_put_under_their_hashes(buckets, folder, version):
    data = run("Create", {**PROPERTIES, "GluePython": version}, buckets, folder)
    assert read(buckets, data["ScriptUri"]) == b"script"
    assert read(buckets, data["WheelsUri"]) == f"wheels {version}".encode()
    assert data["ScriptUri"] == f"s3://exports-bucket/assets/glue/{digest(b'script')}/mwaa_metadb_export.py"
    assert data["WheelsUri"].endswith(".gluewheels.zip")
    assert data["DagUri"] == ""
    assert "DatabaseUri" not in data
    assert len(keys(buckets, "exports-bucket")) == 2


def test_given_drills_then_their_database_is_put_under_its_hash_too_and_goes_with_the_stack(buckets, folder):
    data = run("Create", DRILLS, buckets, folder)
    assert data["DatabaseUri"] == f"s3://exports-bucket/assets/glue/{digest(b'database')}/postgresql.tar.xz"
    assert read(buckets, data["DatabaseUri"]) == b"database"

    run("Delete", DRILLS, buckets, folder)
    assert keys(buckets, "exports-bucket") == set()


def zip_of(**wheels: bytes) -> bytes:
    """Return a zip of wheels as the build makes it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("wheels/requirements.txt", "".join(f"{name}==1\n" for name in wheels))
        for name, body in wheels.items():
            archive.writestr(f"wheels/{name}-1-py3-none-any.whl", body)
    return content.getvalue()


def test_given_restores_then_their_job_has_one_zip_with_the_wheels_of_both_packages(buckets, folder):
    (folder / "python3.11.gluewheels.zip").write_bytes(zip_of(psycopg=b"p", isal=b"i"))
    (folder / "python3.11.fernet.zip").write_bytes(zip_of(cryptography=b"c"))
    data = run("Create", {**PROPERTIES, "Restores": "true"}, buckets, folder)
    with zipfile.ZipFile(io.BytesIO(read(buckets, data["RestoreWheelsUri"]))) as archive:
        assert archive.read("wheels/requirements.txt") == b"psycopg==1\nisal==1\ncryptography==1\n"
        found = {name: archive.read(name) for name in archive.namelist() if name.endswith(".whl")}
    assert found == {
        f"wheels/{name}-1-py3-none-any.whl": name[:1].encode() for name in ("psycopg", "isal", "cryptography")
    }
    assert data["RestoreWheelsUri"].endswith("/python3.11.gluewheels.zip")
    assert data["RestoreWheelsUri"] != data["WheelsUri"]
    assert run("Update", {**PROPERTIES, "Restores": "true"}, buckets, folder) == data


def test_given_restores_and_a_package_without_their_wheels_then_it_says_what_to_build(buckets, folder):
    (folder / "python3.11.gluewheels.zip").write_bytes(zip_of(psycopg=b"p"))
    with pytest.raises(MissingAssetError, match=r"python3\.11\.fernet\.zip"):
        run("Create", {**PROPERTIES, "Restores": "true"}, buckets, folder)


@pytest.mark.parametrize("restores", [{}, {"Restores": "false"}], ids=["a stack of before", "not allowed"])
def test_given_no_restores_then_there_is_no_such_zip(buckets, folder, restores):
    assert "RestoreWheelsUri" not in run("Create", {**PROPERTIES, **restores}, buckets, folder)


def test_given_the_environments_bucket_then_the_dag_is_put_there(buckets, folder):
    data = run("Create", WITH_DAG, buckets, folder)
    assert data["DagUri"] == f"s3://dag-bucket/{DAG_KEY}"
    assert read(buckets, data["DagUri"]) == b"dag"


def test_given_other_content_then_its_address_changes_and_the_old_stays_for_a_rollback(buckets, folder):
    before = run("Create", WITH_DAG, buckets, folder)
    (folder / "python3.11.gluewheels.zip").write_bytes(b"newer")
    (folder / "mwaa_metadata_export.py").write_bytes(b"newer dag")
    after = run("Update", WITH_DAG, buckets, folder)
    assert after["WheelsUri"] != before["WheelsUri"]
    assert after["ScriptUri"] == before["ScriptUri"]
    assert read(buckets, before["WheelsUri"]) == b"wheels 3.11"
    assert read(buckets, after["DagUri"]) == b"newer dag"


def test_given_the_stack_is_deleted_then_all_that_it_put_is_gone_and_nothing_else(buckets, folder):
    run("Create", WITH_DAG, buckets, folder)
    (folder / "mwaa_metadb_export.py").write_bytes(b"newer")
    run("Update", WITH_DAG, buckets, folder)
    buckets.put_object(Bucket="exports-bucket", Key="assets/glue/mine.txt", Body=b"mine")
    buckets.put_object(Bucket="exports-bucket", Key="exports/x", Body=b"export")
    buckets.put_object(Bucket="dag-bucket", Key="dags/other.py", Body=b"other")
    run("Delete", WITH_DAG, buckets, folder)
    assert keys(buckets, "exports-bucket") == {"assets/glue/mine.txt", "exports/x"}
    assert keys(buckets, "dag-bucket") == {"dags/other.py"}


def test_given_somebody_replaced_the_dag_then_deleting_the_stack_leaves_it(buckets, folder):
    run("Create", WITH_DAG, buckets, folder)
    buckets.put_object(Bucket="dag-bucket", Key=DAG_KEY, Body=b"theirs")
    run("Delete", WITH_DAG, buckets, folder)
    assert keys(buckets, "dag-bucket") == {DAG_KEY}


def test_given_another_file_where_the_dag_goes_then_it_is_left_alone(buckets, folder):
    buckets.put_object(Bucket="dag-bucket", Key=DAG_KEY, Body=b"theirs")
    with pytest.raises(ForeignObjectError, match=f"s3://dag-bucket/{DAG_KEY} exists"):
        run("Create", WITH_DAG, buckets, folder)
    assert read(buckets, f"s3://dag-bucket/{DAG_KEY}") == b"theirs"


def test_given_the_same_dag_copied_by_hand_then_it_is_fine_and_stays_theirs(buckets, folder):
    buckets.put_object(Bucket="dag-bucket", Key=DAG_KEY, Body=b"dag")
    run("Create", WITH_DAG, buckets, folder)
    run("Delete", WITH_DAG, buckets, folder)
    assert keys(buckets, "dag-bucket") == {DAG_KEY}


def test_given_two_stacks_in_one_bucket_then_deleting_one_leaves_the_others_assets(buckets, folder):
    mine, theirs = {**PROPERTIES, "Prefix": "assets/a"}, {**PROPERTIES, "Prefix": "assets/b"}
    run("Create", mine, buckets, folder)
    run("Create", theirs, buckets, folder, OTHER_STACK)
    run("Delete", mine, buckets, folder)
    assert {key.split("/")[1] for key in keys(buckets, "exports-bucket")} == {"b"}


def test_given_the_dag_moves_then_deleting_the_old_place_keeps_the_wheels(buckets, folder):
    moved = {**WITH_DAG, "DagKey": "elsewhere/mwaa_metadata_export.py"}
    run("Create", WITH_DAG, buckets, folder)
    data = run("Update", moved, buckets, folder)
    # What CloudFormation does after an update to another physical id.
    run("Delete", WITH_DAG, buckets, folder)
    assert keys(buckets, "dag-bucket") == {"elsewhere/mwaa_metadata_export.py"}
    assert read(buckets, data["WheelsUri"]) == b"wheels 3.11"


def test_given_the_buckets_are_gone_then_deleting_is_fine(aws, s3, folder):
    gone = {**WITH_DAG, "Bucket": "never-there"}
    assert run("Delete", gone, s3, folder) == {}


def test_given_the_environments_bucket_does_not_exist_then_the_error_names_it(s3, folder):
    with pytest.raises(AwsCallError, match="dag-bucket"):
        run("Create", WITH_DAG, s3, folder)


def test_given_the_wheels_in_another_folder_then_they_are_found(s3, folder, tmp_path_factory):
    layer = tmp_path_factory.mktemp("layer")
    (folder / "python3.11.gluewheels.zip").rename(layer / "python3.11.gluewheels.zip")
    event = request_for("Create")
    data = apply(event, resource_id_of(event), s3, [folder, layer])
    assert read(s3, data["WheelsUri"]) == b"wheels 3.11"


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"python3.13.gluewheels.zip"}))
def test_given_a_package_without_an_asset_then_the_error_names_it(buckets, folder, name):
    (folder / name).unlink()
    with pytest.raises(MissingAssetError, match=name):
        run("Create", DRILLS, buckets, folder)


def test_given_a_create_that_never_had_properties_then_its_delete_does_nothing(s3, folder):
    created = request_for("Create", {"Bucket": ""})
    assert resource_id_of(created) == NOTHING_PUBLISHED
    deleted = request_for("Delete", {"Bucket": ""}, NOTHING_PUBLISHED)
    assert apply(deleted, resource_id_of(deleted), s3, [folder]) == {}


def test_given_a_dag_that_moved_when_the_update_is_rolled_back_then_old_dag_and_assets_stay(buckets, folder):
    old = {"DagBucket": "dag-bucket", "DagKey": DAG_KEY}
    new = {**old, "DagKey": "code/mwaa_metadata_export.py"}
    glue = run("Create", PROPERTIES, buckets, folder)
    run("Create", old, buckets, folder)
    run("Update", PROPERTIES, buckets, folder)
    run("Update", new, buckets, folder)

    run("Delete", new, buckets, folder)

    assert keys(buckets, "dag-bucket") == {DAG_KEY}
    assert read(buckets, glue["ScriptUri"]) == b"script"
