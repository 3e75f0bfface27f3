"""The files that `sam build` put into the function's package and its layer (lambdas/Makefile)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from publish_assets.errors import MissingAssetError
from publish_assets.properties import Properties
from publish_assets.wheels import joined

SCRIPT = "mwaa_metadb_export.py"
DAG = "mwaa_metadata_export.py"
DATABASE = "postgresql.tar.xz"


@dataclass(frozen=True)
class Asset:
    """A file and where it goes."""

    body: bytes
    bucket: str
    key: str
    content_type: str

    @property
    def uri(self) -> str:
        """Address of the object."""
        return f"s3://{self.bucket}/{self.key}"


def load_assets(folders: Sequence[Path], properties: Properties) -> dict[str, Asset]:
    """Return the assets to publish by the name of the attribute that the template reads.

    Keys in our own bucket carry a hash of the content: other content changes the Glue job's arguments, so that
    CloudFormation updates the job, and a rollback finds the old objects.

    Args:
        folders: where the files are.
        properties: where they go, and for which Python.

    Raises:
        MissingAssetError: a file is in none of the folders.
    """
    assets = {}
    if properties.bucket:
        wheels = f"python{properties.glue_python}.gluewheels.zip"
        assets["ScriptUri"] = _hashed(SCRIPT, _read(folders, SCRIPT), properties, "text/x-python")
        body = _read(folders, wheels)
        assets["WheelsUri"] = _hashed(wheels, body, properties, "application/zip")
        if properties.restores:
            more = _read(folders, f"python{properties.glue_python}.fernet.zip")
            assets["RestoreWheelsUri"] = _hashed(wheels, joined(body, more), properties, "application/zip")
        if properties.drills:
            assets["DatabaseUri"] = _hashed(DATABASE, _read(folders, DATABASE), properties, "application/x-xz")
    if properties.dag_bucket:
        assets["DagUri"] = Asset(_read(folders, DAG), properties.dag_bucket, properties.dag_key, "text/x-python")
    return assets


def _hashed(name: str, body: bytes, properties: Properties, content_type: str) -> Asset:
    digest = hashlib.sha256(body).hexdigest()[:16]
    # Glue recognises a zip of wheels by the ending .gluewheels.zip, so the hash is a folder.
    return Asset(body, properties.bucket, f"{properties.prefix}/{digest}/{name}", content_type)


def _read(folders: Sequence[Path], name: str) -> bytes:
    for folder in folders:
        if (folder / name).is_file():
            return (folder / name).read_bytes()
    raise MissingAssetError(f"The package and its layer lack {name}: build them with `sam build`, then deploy again.")
