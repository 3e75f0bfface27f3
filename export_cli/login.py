"""Is somebody not logged in? Then that is what to do, whatever was being asked of AWS."""

import os
import sys
from collections.abc import Sequence

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.session import Session
from export_runtime.aws import error_code
from export_runtime.text import one_line

# AWS documented: what AWS answers to credentials that are wrong or have expired.
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
_WRONG = (
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
# AWS documented: a request that is minutes away from AWS's own time is refused; some services say that its signature
# does not match. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
_SKEWED = ("RequestTimeTooSkewed", "RequestInTheFuture")
_SKEWED_MESSAGES = ("Signature expired", "Signature not yet current")
_NONE = (NoCredentialsError, PartialCredentialsError)
_SSO = (SSOError, TokenRetrievalError, CredentialRetrievalError)


def login_advice(error: BaseException, profile: str | None) -> str | None:
    """Return one line that says what is wrong with login, profile or region, and what to do; None: nothing is.

    Args:
        error: what was raised; its causes are looked at.
        profile: that was asked for, if one was.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BotoCoreError | ClientError) and (advice := _advice(cause, profile)):
            return advice
        cause = cause.__cause__
    return None


def asked_profile(arguments: Sequence[str] | None) -> str | None:
    """Return the profile that a command line or the environment names.

    Args:
        arguments: of the command line; None: those of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for number, word in enumerate(words):
        if word.startswith("--profile="):
            return word.partition("=")[2]
        if word == "--profile" and number + 1 < len(words):
            return words[number + 1]
    return os.environ.get("AWS_PROFILE")


def _advice(error: BotoCoreError | ClientError, profile: str | None) -> str | None:
    again = f"aws sso login --profile {profile}" if profile else "aws sso login --profile <name>"
    match error:
        case NoRegionError():
            return "No AWS region is known. Say it with --region, or set AWS_REGION."
        case ProfileNotFound():
            return f"There is no AWS profile {one_line(str(profile), 80)}. {_profiles()}"
        case ClientError() if _is_of_another_time(error):
            return f"The clock of this machine is wrong ({_message(error)}). Set it, then run the command again."
        case ClientError() if error_code(error) in _EXPIRED:
            return f"Your AWS login has expired. Log in again ({again}), or get new keys; then run the command again."
        case ClientError() if error_code(error) in _WRONG:
            return f"AWS does not know these credentials ({error_code(error)}). Log in again ({again}). {_profiles()}"
        case EndpointConnectionError():
            return f"{one_line(str(error), 300)}. Check the network, and the name of the region (--region)."
    if isinstance(error, _NONE):
        return f"You are not logged in to AWS. Log in ({again}, or aws configure). {_profiles()}"
    if isinstance(error, _SSO):
        return f"Your AWS login does not work ({one_line(str(error), 200)}). Log in again: {again}"
    return None


def _is_of_another_time(error: ClientError) -> bool:
    return error_code(error) in _SKEWED or any(words in _message(error) for words in _SKEWED_MESSAGES)


def _message(error: ClientError) -> str:
    return one_line(str(error.response.get("Error", {}).get("Message", "")), 300)


def _profiles() -> str:
    try:
        known = [one_line(name, 60) for name in Session().available_profiles]
    except BotoCoreError:  # AWS_PROFILE, or the configuration itself, is wrong
        known = []
    return f"Or name a profile with --profile: {', '.join(known)}." if known else "No profile is configured here."
