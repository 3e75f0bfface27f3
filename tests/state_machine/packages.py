"""Our own functions, packaged as `sam build` does: the function's folder, and what the layer brings."""

import io
import zipfile
from pathlib import Path

import aws_lambda_powertools
import aws_xray_sdk
import jmespath
import typing_extensions
import wrapt

from tests.emulated_account import REPOSITORY, Account

LAYER = (aws_lambda_powertools, aws_xray_sdk, jmespath, wrapt)
LAMBDAS = REPOSITORY / "lambdas"


def deploy_function(account: Account, name: str, role: str, variables: dict[str, str]) -> str:
    """Create the function of a folder below `lambdas/`. Returns its ARN."""
    shared = [LAMBDAS / "shared" / package for package in ("export_contracts", "export_runtime")]
    folders = [LAMBDAS / name, *shared, *(Path(module.__file__ or "").parent for module in LAYER)]
    made = account.client("lambda").create_function(
        FunctionName=f"{name}-{role.rsplit('-', 1)[1]}",
        Runtime="python3.13",
        Handler=f"{name}.handler.handler",
        Role=role,
        Timeout=60,
        Code={"ZipFile": _archive(folders, [Path(typing_extensions.__file__)])},
        Environment={"Variables": {"POWERTOOLS_TRACE_DISABLED": "true", **variables}},
    )
    return str(made["FunctionArn"])


def _archive(folders: list[Path], modules: list[Path]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for file in folder.rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, str(Path(folder.name) / file.relative_to(folder)))
        for module in modules:
            archive.write(module, module.name)
    return body.getvalue()
