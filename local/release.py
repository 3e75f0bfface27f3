"""`make release`: everything that a deployment needs, in a folder that is copied to one S3 prefix.

Who deploys it needs the AWS CLI, Terraform or the CDK, and neither make nor pip nor Python: the packages are built, and
the template is plain CloudFormation, with the SAM transform done. Its code is read from the bucket and prefix that its
two parameters `ReleaseBucket` and `ReleasePrefix` name. The same sources give the same bytes.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "lambdas" / "shared")]

from export_runtime.version import VERSION  # noqa: E402
from samcli.yamlhelper import yaml_parse  # noqa: E402

from local import deployment, paths, processes  # noqa: E402
from local.console import Progress, exit_code  # noqa: E402
from local.processes import CommandError  # noqa: E402

NAME = f"mwaa-metadata-export-{VERSION}"
DAG = "dags/mwaa_metadata_export.py"
COMMAND = ("pyproject.toml", "LICENSE", "export_cli", "lambdas", "glue")  # what its wheel is made of
SOURCES = (*COMMAND, "CHANGELOG.md", "dags", "local/deploy.sh", "state_machine", "template.yaml")
SHOWN = 10
CODE_OF = {  # by type: the property that says where code is
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
PARAMETERS: dict[str, dict[str, str]] = {
    "ReleaseBucket": {
        "Type": "String",
        "Description": "The bucket, in this region, to which the files of the release were copied.",
        "AllowedPattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "ConstraintDescription": "must be the name of an S3 bucket.",
    },
    "ReleasePrefix": {
        "Type": "String",
        "Description": "What the keys of these files begin with, with the slash at its end.",
        "AllowedPattern": "^([A-Za-z0-9_.-]+/)+$",
        "ConstraintDescription": f"must be an S3 prefix with a slash at its end, such as {NAME}/.",
    },
}
LABELS = {"ReleaseBucket": "Bucket of the release", "ReleasePrefix": "Prefix in it"}
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold
SUMS = "SHA256SUMS"


class ReleaseError(Exception):
    """The release cannot be made."""


def main() -> int:
    """Make the release below `.local/release` and return the exit code."""
    progress = Progress()

    def make() -> None:
        check_committed(paths.ROOT)
        with progress.step("sam build"):
            built = deployment.build(log=paths.LOCAL / "sam-build.log")
        with progress.step(NAME) as note:
            folder = build(built, paths.LOCAL / "release")
            archive = pack(folder)
            note(f"{archive.relative_to(paths.ROOT)}, {archive.stat().st_size:,} bytes, SHA-256 {digest(archive)}")
        progress.say(f"Deploy it: {folder.relative_to(paths.ROOT)}/deploy.sh")

    return exit_code(progress, make, (ReleaseError, CommandError))


def build(built: Path, target: Path, root: Path = paths.ROOT) -> Path:
    """Make the folder of the release, in place of the one that is there, and return it.

    Args:
        built: the template that `sam build` wrote.
        target: where the folder goes.
        root: the checkout.

    Raises:
        ReleaseError: CHANGELOG.md says nothing of this version.
    """
    changes = _changes((root / "CHANGELOG.md").read_text())
    folder = target / NAME
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    template = yaml_parse(built.read_text())
    for name, body in template["Resources"].items():
        if body["Type"] in CODE_OF:
            _release_code(name, body, built.parent, folder)
    (folder / "template.json").write_text(json.dumps(_plain(template), indent=1) + "\n")
    (folder / "CHANGES.md").write_text(changes)
    for file in (root / DAG, root / "LICENSE", Path(__file__).with_name("deploy.sh")):
        shutil.copy(file, folder)
    _build_command(root, folder)
    names = sorted(file.name for file in folder.iterdir())
    (folder / SUMS).write_text("".join(f"{digest(folder / name)}  {name}\n" for name in names))
    return folder


def pack(folder: Path) -> Path:
    """Zip the folder of a release, and return the archive beside it."""
    archive = folder.with_name(f"{folder.name}.zip")
    archive.write_bytes(_zip({f"{folder.name}/{name}": file for name, file in _files(folder)}))
    return archive


def digest(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def check_committed(root: Path) -> None:
    """See that a release of this checkout would hold what is committed, and nothing else.

    Raises:
        ReleaseError: naming the files.
    """
    command = ["git", "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", *SOURCES]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise ReleaseError(f"{root} is no checkout of git: {found.stderr.strip()}")
    names = sorted(entry[3:] for entry in found.stdout.split("\0") if entry)
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        told = f"{', '.join(names[:SHOWN])}{more}"
        raise ReleaseError(f"Not committed, and would be in the release: {told}. Commit or remove them, then release.")


def _changes(changelog: str) -> str:
    found = re.search(rf"^## \[{re.escape(VERSION)}\].*?(?=^## \[|\Z)", changelog, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ReleaseError(f"CHANGELOG.md has no section [{VERSION}]: write what is new in it, then release.")
    return found.group().rstrip() + "\n"


def _release_code(name: str, body: dict[str, Any], build: Path, folder: Path) -> None:
    """Put a resource's code into the folder, and let the resource name it."""
    source = build / body["Properties"][CODE_OF[body["Type"]]]
    content = source.read_bytes() if source.is_file() else _zip(dict(_files(source)))
    ending = "zip" if source.is_dir() else "asl.yaml"
    # Other code is another key: so CloudFormation sees that it has changed.
    file = f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.{ending}"
    (folder / file).write_bytes(content)
    key = {"Fn::Sub": "${ReleasePrefix}" + file}
    body["Properties"][CODE_OF[body["Type"]]] = {"Bucket": {"Ref": "ReleaseBucket"}, "Key": key}


def _plain(template: dict[str, Any]) -> Any:
    """The template with its two parameters, and with everything of SAM translated.

    AWS documented: a template with a transform is created without a change set only with CAPABILITY_AUTO_EXPAND.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
    """
    from samtranslator.translator.transform import transform  # takes two seconds

    template["Parameters"] |= PARAMETERS
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    interface["ParameterGroups"].append({"Label": {"default": "The release"}, "Parameters": list(PARAMETERS)})
    interface["ParameterLabels"] |= {name: {"default": label} for name, label in LABELS.items()}
    template["Description"] = f"{template['Description']} Version {VERSION}."
    for body in template["Resources"].values():
        body.pop("Metadata", None)  # of the build, with paths of this machine
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the translator asks for one
    plain = transform(template, {}, None)  # type: ignore[arg-type] - no policy is named, so none is loaded
    plain.pop("Transform", None)
    return plain


def _build_command(root: Path, folder: Path) -> None:
    """Build the wheel of the command line."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "315532800"}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel", "--no-deps"]
    with tempfile.TemporaryDirectory() as source:
        for name in COMMAND:
            copy = shutil.copytree if (root / name).is_dir() else shutil.copy
            copy(root / name, Path(source) / name)
        processes.run([*pip, "--no-build-isolation", "--wheel-dir", str(folder), source], env=environment)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(folder).as_posix(), file


def _zip(files: Mapping[str, Path]) -> bytes:
    """Zip files, with the same bytes for the same content."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            entry = zipfile.ZipInfo(name, date_time=ZIP_TIME)
            entry.external_attr = (0o755 if os.access(file, os.X_OK) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return content.getvalue()


if __name__ == "__main__":
    sys.exit(main())
