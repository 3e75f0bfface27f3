"""The real template through the real SAM CLI, onto the emulated AWS. There is no second description of the stack."""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local import paths, processes
from local.locks import exclusive

SOURCES = ("template.yaml", "samconfig.toml", "requirements.lock", "lambdas", "glue", "dags", "state_machine")
KEPT_BUILDS = 3
SAM = Path(sys.executable).parent / "sam"


def build(*, log: Path, root: Path = paths.ROOT) -> Path:
    """Run `sam build` unless these very sources were built before, and return the built template.

    Args:
        log: gets what the SAM CLI prints.
        root: the checkout to build, of this version or another.
    """
    folder = paths.BUILDS / _fingerprint(root)
    template = folder / "template.yaml"
    with exclusive(paths.BUILDS.with_suffix(".lock")):
        if not template.exists():
            _run_sam_build(folder, log, root)
    return template


def _run_sam_build(folder: Path, log: Path, root: Path) -> None:
    _forget_old_builds()
    scratch = folder.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    command = [str(SAM), "build", "--template", "template.yaml", "--build-dir", str(scratch)]
    processes.run(command, log=log, env=_environment({}), cwd=root)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)


def deploy(template: Path, stack: str, parameters: Mapping[str, str], *, aws_env: Mapping[str, str], log: Path) -> None:
    """Run `sam deploy` of a built template as the stack `stack`."""
    # In quotes: an expression has blanks, and a value may be empty. Quotes inside are escaped, backslashes are not.
    values = {key: value.replace('"', r"\"") for key, value in parameters.items()}
    overrides = [f'ParameterKey={key},ParameterValue="{value}"' for key, value in values.items()]
    command = [str(SAM), "deploy", "--template-file", str(template), "--stack-name", stack, "--resolve-s3"]
    command += [
        "--capabilities",
        "CAPABILITY_IAM",
        "--no-confirm-changeset",
        "--no-progressbar",
        "--no-fail-on-empty-changeset",
    ]
    processes.run([*command, "--parameter-overrides", *overrides], log=log, env=_environment(aws_env), cwd=paths.LOCAL)


def deploy_answered(
    template: Path, environment: str, email: str, file: Path, *, aws_env: Mapping[str, str], log: Path
) -> None:
    """Run `sam deploy` as docs/deploy.md has it: by a copy of the example with two answers.

    Args:
        template: the built one.
        environment: the answer that also names the stack.
        email: the other answer.
        file: the copy to be written.
        aws_env: where it is deployed.
        log: gets what the SAM CLI prints.
    """
    example = (paths.ROOT / "docs" / "examples" / "deploy.toml").read_text()
    file.write_text(example.replace("platform-team@example.com", email).replace("orders", environment))
    command = [str(SAM), "deploy", "--template-file", str(template), "--config-file", str(file)]
    command += ["--config-env", environment, "--no-confirm-changeset", "--no-progressbar"]
    processes.run(command, log=log, env=_environment(aws_env), cwd=paths.LOCAL)


def deploy_release(
    folder: Path, environment: str, parameters: Mapping[str, str], *, aws_env: Mapping[str, str], log: Path
) -> None:
    """Run the script of a release, which needs nothing but the AWS CLI, as the stack of an environment."""
    given = [f"{name}={value}" for name, value in parameters.items()]
    processes.run([str(folder / "deploy.sh"), environment, *given], log=log, env=_environment(aws_env), cwd=paths.LOCAL)


def delete(stack: str, *, aws_env: Mapping[str, str], log: Path) -> None:
    """Run `sam delete`."""
    command = [str(SAM), "delete", "--stack-name", stack, "--no-prompts", "--region", aws_env["AWS_REGION"]]
    processes.run(command, log=log, env=_environment(aws_env), cwd=paths.LOCAL)


def outputs(cloudformation: Any, stack: str) -> dict[str, str]:
    """Return the stack's outputs by name."""
    [description] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}


def _environment(aws_env: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without its AWS settings, this Python first on the PATH, and quick polling."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    path = os.pathsep.join([str(SAM.parent), mine.get("PATH", "")])
    settings = {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "1", "__SAM_CLI_APP_DIR": str(paths.LOCAL / "sam")}
    return {**mine, **settings, "PATH": path, **aws_env}


def _fingerprint(root: Path) -> str:
    """A hash over every file that `sam build` reads, and where they are: a built template names some of them."""
    digest = hashlib.sha256(str(root).encode())
    for source in SOURCES:
        for file in sorted(_files(root / source)):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return [file for file in source.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def _forget_old_builds() -> None:
    paths.BUILDS.mkdir(parents=True, exist_ok=True)
    by_age = sorted(paths.BUILDS.iterdir(), key=lambda folder: folder.stat().st_mtime)
    for folder in by_age[:-KEPT_BUILDS]:
        shutil.rmtree(folder, ignore_errors=True)
