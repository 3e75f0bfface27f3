"""Exports that are kept: copies where the lifecycle of the exports does not reach (docs/decisions/0021).

A kept export has the layout of every other, below another first part of the key: `kept/<env>-backups/YYYY/MM/DD/...`.
"""

import gzip
import json
import re
import threading
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from botocore.exceptions import ClientError
from export_contracts.exported_schema import ExportedSchema
from export_contracts.exported_table import ExportedTable
from export_contracts.layout import SUMMARY_NAME, Layout, export_id
from export_contracts.summary import Summary
from export_runtime.aws import error_code
from export_runtime.errors import AwsCallError
from export_runtime.store import ObjectStore

from export_cli.aws import Aws, call
from export_cli.checks.lifecycle import Lifecycle, Objects
from export_cli.checks.retention import read_rules
from export_cli.errors import InvalidOptionError, NotFoundError
from export_cli.exports import Export, Exports, start_of

KEPT = "kept"
_AT_ONCE = 8
_SUMMARY = re.compile(r"(\d{4})/(\d{2})/(\d{2})/export_summary_(\d{6})\.json\.gz$")
_ADVICE = "Check that your credentials may read the export, and write and delete below kept/ (docs/cli.md)."
Note = Callable[[int], None]


@dataclass(frozen=True)
class Kept:
    """What was copied, and where its summary is."""

    summary_key: str
    objects: int
    size: int
    was_there: bool = False


def kept_layout(where: Layout) -> Layout:
    """Return where the exports of an environment are kept."""
    return replace(where, base_prefix=KEPT)


def kept_ids(store: ObjectStore, where: Layout) -> frozenset[str]:
    """Return the ids of the exports that are kept; see ``aws_call`` for errors."""
    keys = store.all_keys(f"{kept_layout(where).root}/")
    found = [match for key in keys if SUMMARY_NAME in key and (match := _SUMMARY.search(key))]
    return frozenset(f"{each[1]}{each[2]}{each[3]}T{each[4]}Z" for each in found)


def find_kept(store: ObjectStore, where: Layout, reference: str) -> Export:
    """Return an export that is kept, also one whose copy has no summary: `keep` or `release` was interrupted.

    Raises:
        InvalidOptionError: it is no id.
        NotFoundError: nothing of it is kept.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    layout = kept_layout(where)
    try:
        return Exports(store, layout).find(reference)
    except NotFoundError:
        started = start_of(reference)
        if started is None:
            raise
        half = Export(layout.summary_key(started), export_id(started), None, "its copy is not whole")
        if not objects_of(store, layout, half):
            raise
        return half


def objects_of(store: ObjectStore, layout: Layout, export: Export) -> list[str]:
    """Return the keys of an export's objects: those of its day that bear its time."""
    ending = re.compile(rf"_{export.started:%H%M%S}\.[a-z.]+$")
    return [key for key in store.all_keys(layout.day_prefix(export.started)) if ending.search(key)]


def bucket_rules(aws: Aws, bucket: str) -> Lifecycle:
    """Return the lifecycle rules of a bucket.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    s3 = aws.client("s3")
    with call(f"look at the lifecycle of bucket {bucket}", "Allow s3:GetLifecycleConfiguration on it."):
        try:
            configured = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
        except ClientError as error:
            if error_code(error) != "NoSuchLifecycleConfiguration":
                raise
            configured = {}
        return read_rules(s3, bucket, configured)


class Keeper:
    """Copies exports of one environment to where they are kept, and removes them there."""

    def __init__(self, aws: Aws, store: ObjectStore, where: Layout) -> None:
        """Work in the bucket of these exports.

        Raises:
            InvalidOptionError: these are kept already.
        """
        if where.base_prefix == KEPT:
            raise InvalidOptionError(f"What is below {KEPT}/ is kept already: leave out --base-prefix.")
        self._s3, self._store, self._where, self._kept = aws.client("s3"), store, where, kept_layout(where)
        self._ended = threading.Event()

    def refuse_deleting_rule(self, rules: Lifecycle) -> None:
        """Refuse when a lifecycle rule would delete the copy too.

        Raises:
            InvalidOptionError: naming the rule.
        """
        for rule, _ in rules.expiring(Objects(f"{self._kept.root}/", inf)):
            raise InvalidOptionError(
                f"Lifecycle rule {rule.get('ID', 'without a name')} of {self._where.bucket} would delete the copy too: "
                f"limit it to the prefix {self._where.base_prefix}/."
            )

    def keep(self, export: Export, summary: Summary, note: Note) -> Kept:
        """Copy an export, object by object inside S3; its summary comes last, so a copy that has one is whole.

        Args:
            export: to be kept.
            summary: of it.
            note: told how many bytes were copied.

        Raises:
            NotFoundError: the lifecycle took the summary meanwhile.
            AwsCallError: S3 refused, or a copy is not what the summary says.
            AwsUnavailableError: see ``aws_call``.
        """
        summary_key, wanted = self._moved(export.key), self._summary_for(export)
        # By all that it says, not by its verdict: an INCOMPLETE one may have got more since.
        if _content(self._store, summary_key) == wanted:
            return Kept(summary_key, len(summary.details), summary.object_bytes, was_there=True)
        told: list[ExportedTable | ExportedSchema] = list(summary.details.values())
        told += [summary.schema] if summary.schema else []
        named = {entry.key for entry in told}
        objects = objects_of(self._store, self._where, export)
        others = [key for key in objects if key not in named and key != export.key]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                for size in pool.map(self._copy_verified, told):
                    note(size)
                list(pool.map(self._copy_plain, others))
            except BaseException:  # Ctrl-C, which reaches this thread alone: the others end at their next part
                self._ended.set()
                raise
        self._store.write(summary_key, _packed(wanted), "application/gzip")
        return Kept(summary_key, len(told) + len(others) + 1, summary.object_bytes)

    def release(self, export: Export) -> int:
        """Remove the copy, its summary first, and return how many objects it had."""
        keys = sorted(objects_of(self._store, self._kept, export), key=lambda key: SUMMARY_NAME not in key)
        for key in keys:
            with call(f"delete {self._store.uri(key)}", _ADVICE):
                self._s3.delete_object(Bucket=self._where.bucket, Key=key)
        return len(keys)

    def _moved(self, key: str) -> str:
        return f"{self._kept.root}{key.removeprefix(self._where.root)}"

    def _copy_plain(self, key: str) -> str:
        with call(f"copy {self._store.uri(key)}", _ADVICE):
            answer = self._s3.copy_object(ChecksumAlgorithm="SHA256", **self._from_to(key))
        return str(answer["CopyObjectResult"].get("ChecksumSHA256", ""))

    def _copy_verified(self, entry: ExportedTable | ExportedSchema) -> int:
        if isinstance(entry, ExportedTable) and "-" in entry.checksum_sha256:
            copied = self._copy_parts(entry)
        else:
            copied = self._copy_plain(entry.key)
        if copied != entry.checksum_sha256:
            raise AwsCallError(
                f"The copy of {self._store.uri(entry.key)} has SHA-256 {copied or '(none)'}, the summary says "
                f"{entry.checksum_sha256}: the object is not what was exported. See the command verify."
            )
        return entry.object_bytes

    def _copy_parts(self, entry: ExportedTable) -> str:
        """Copy by the parts that it has, so that its checksum stays the same."""
        place, at = self._from_to(entry.key), 0
        source = {"CopySource": place.pop("CopySource")}
        with call(f"copy {self._store.uri(entry.key)}", _ADVICE):
            create = self._s3.create_multipart_upload
            upload = create(ChecksumAlgorithm="SHA256", ContentType="application/gzip", **place)["UploadId"]
            try:
                done = []
                for number, size in enumerate(entry.part_sizes, 1):
                    self._go_on(entry)
                    piece = {"CopySourceRange": f"bytes={at}-{at + size - 1}", "PartNumber": number}
                    answer = self._s3.upload_part_copy(UploadId=upload, **place, **source, **piece)
                    part = answer["CopyPartResult"]
                    sha256 = {"ChecksumSHA256": part["ChecksumSHA256"]} if "ChecksumSHA256" in part else {}
                    done.append({"PartNumber": number, "ETag": part["ETag"], **sha256})
                    at += size
                complete = self._s3.complete_multipart_upload
                return str(complete(UploadId=upload, MultipartUpload={"Parts": done}, **place).get("ChecksumSHA256"))
            except BaseException:  # what is half done would be paid for
                self._s3.abort_multipart_upload(UploadId=upload, **place)
                raise

    def _go_on(self, entry: ExportedTable) -> None:
        if self._ended.is_set():
            raise AwsCallError(f"The copy of {self._store.uri(entry.key)} was given up.")

    def _from_to(self, key: str) -> dict[str, Any]:
        bucket = self._where.bucket
        return {"Bucket": bucket, "Key": self._moved(key), "CopySource": {"Bucket": bucket, "Key": key}}

    def _summary_for(self, export: Export) -> dict[str, Any]:
        """Return the summary with the keys of the copies and without Parquet, which goes with the export's own files.

        Whatever else it says stays.
        """
        content = _content(self._store, export.key)
        if not content:
            raise NotFoundError(
                f"The summary {self._store.uri(export.key)} was there a moment ago, and is gone or damaged: nothing "
                "was kept. Choose another export (mwaa-metadata-export list)."
            )
        details: Mapping[str, dict[str, Any]] = content["details"]
        content["details"] = {
            name: {field: value for field, value in entry.items() if field != "parquet"}
            | {"key": self._moved(entry["key"])}
            for name, entry in details.items()
        }
        if schema := content.get("schema"):
            content["schema"] = {**schema, "key": self._moved(schema["key"])}
        return content


def _content(store: ObjectStore, key: str) -> dict[str, Any]:
    """Return what a summary says, as it is written; nothing if there is none, or it is damaged."""
    found = store.read(key)
    try:
        content: Any = json.loads(gzip.decompress(found.body)) if found else {}
    except (OSError, EOFError, zlib.error, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _packed(content: Mapping[str, Any]) -> bytes:
    return gzip.compress(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n", mtime=0)
