"""Fernet keys from where they are kept: never from an argument, which `ps` and the shell's history show."""

from pathlib import Path

import click
from export_contracts.fields import DocumentError, Fields, filled, parse
from export_runtime.text import one_line

from export_cli.aws import Aws, call
from export_cli.errors import InvalidOptionError, LocalError

FORMS = "file:PATH, prompt or secretsmanager:NAME"
JSON_FIELD = "FernetKey"  # as MWAA's own secret has it
_ADVICE = "Check its name and that your credentials may read it (secretsmanager:GetSecretValue, kms:Decrypt)."


def read_key(aws: Aws, option: str, source: str | None) -> str | None:
    """Return a key, or None when no source was given.

    Args:
        option: which asks for it.
        source: ``file:PATH``, ``prompt`` or ``secretsmanager:NAME``; a secret is the key, or JSON with it as FernetKey.

    Raises:
        InvalidOptionError: the source is none of these; it is not repeated, for it may be the key itself.
        LocalError: the file cannot be read.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    if source is None:
        return None
    kind, _, name = source.partition(":")
    if source == "prompt":
        return str(click.prompt(f"Fernet key for {option}", hide_input=True, err=True)).strip()
    if kind == "file" and name:
        return _from_file(Path(name))
    if kind == "secretsmanager" and name:
        return _from_secret(aws, name)
    raise InvalidOptionError(
        f"{option} says where the key is, never the key itself: {FORMS}. What was given is none of these."
    )


def _from_file(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise LocalError(f"Could not read the Fernet key from {one_line(str(path), 300)}: {reason}.") from error


def _from_secret(aws: Aws, name: str) -> str:
    with call(f"read the secret {one_line(name, 300)}", _ADVICE):
        text = str(aws.client("secretsmanager").get_secret_value(SecretId=name).get("SecretString", "")).strip()
    if not text.startswith("{"):
        return text
    try:
        return Fields(parse(text.encode())).required(JSON_FIELD, filled)
    except DocumentError:
        raise InvalidOptionError(
            f"The secret {one_line(name, 300)} is JSON without a text {JSON_FIELD}. Allowed is the key alone, or that."
        ) from None
