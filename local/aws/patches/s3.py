"""S3: CompleteMultipartUpload refuses what S3 refuses; who may not list a bucket is not told what is missing there.

AWS documented: the errors of CompleteMultipartUpload, that of an upload "aborted or completed" among them.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html

AWS documented: without s3:ListBucket a missing key is 403, not 404. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

import itertools
import re
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id
from ministack.services import s3

from local.aws.patches.replace import attribute, wrap
from local.aws.settings import Settings

MIN_PART_BYTES = 5 * 1024 * 1024
_PART = re.compile(rb"<Part>(.*?)</Part>", re.DOTALL)
_PART_NUMBER = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>")


def apply(settings: Settings) -> None:
    """Patch S3."""
    for name in ("_multipart_uploads", "_completed_multipart_uploads", "_qp", "_error"):
        attribute(s3, name)
    wrap(s3, "_complete_multipart_upload", _complete)
    if settings.auth:
        wrap(s3, "_get_object", _hide_missing)
        wrap(s3, "_head_object", _hide_missing)


def _complete(original: Callable[..., Any]) -> Callable[..., Any]:
    def complete(bucket: str, key: str, body: bytes, query: dict[str, Any], headers: Any = None) -> Any:
        # Stock ministack answers for a completed upload again.
        s3._completed_multipart_uploads.pop(s3._qp(query, "uploadId"), None)
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId"))
        refusal = _refusal(body, upload) if upload else None
        if refusal is not None:
            return s3._error(*refusal, 400, f"/{bucket}/{key}")
        return original(bucket, key, body, query, headers)

    return complete


def _hide_missing(original: Callable[..., Any]) -> Callable[..., Any]:
    """403 instead of 404 without s3:ListBucket.

    AWS assumed: S3 knows no s3:prefix when it asks s3:ListBucket about a missing key.
    """

    def answer(bucket: str, key: str, headers: Any = None, query: Any = None) -> Any:
        response = original(bucket, key, headers, query)
        caller = extract_access_key_id(headers or {}, query or {}) if response[0] == 404 else None
        arn = f"arn:aws:s3:::{bucket}"
        if caller and iam_evaluator.enforce(caller, "s3:ListBucket", "s3", get_region(), resource_arn=arn) is not None:
            message = f"Access Denied: s3:ListBucket on {arn} is not allowed, which a missing key needs"
            return s3._error("AccessDenied", message, 403, f"/{bucket}/{key}")
        return response

    return answer


def _refusal(body: bytes, upload: dict[str, Any]) -> tuple[str, str] | None:
    numbers, parts = [int(number) for number in _PART_NUMBER.findall(body)], upload["parts"]
    if not numbers:
        return (
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    if any(first >= second for first, second in itertools.pairwise(numbers)):
        return "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number."
    if upload.get("checksum_algorithm") and (refusal := _checksum_refusal(body, numbers, upload["checksum_algorithm"])):
        return refusal
    if any(number in parts and len(parts[number]["body"]) < MIN_PART_BYTES for number in numbers[:-1]):
        return "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"
    return None


def _checksum_refusal(body: bytes, numbers: list[int], algorithm: str) -> tuple[str, str] | None:
    """With a checksum on each part, the numbers have no gap and the request repeats every checksum.

    AWS documented: part numbers are consecutive and begin with 1 when parts have checksums. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html

    AWS seen: "The complete request must include the checksum for each part". https://github.com/aws/aws-sdk-php/issues/2648
    """
    if numbers != list(range(1, len(numbers) + 1)):
        return "InvalidPartOrder", "Part numbers must be consecutive and begin with 1 when parts have checksums."
    for number, part in zip(numbers, _PART.findall(body), strict=True):
        if f"<Checksum{algorithm}>".encode() not in part:
            message = (
                f"The upload was created using a {algorithm.lower()} checksum. The complete request must include the "
                f"checksum for each part. It was missing for part {number} in the request."
            )
            return "InvalidRequest", message
    return None
