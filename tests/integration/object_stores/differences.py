"""Where a store differs from S3 as it is documented; everything else holds on all of them."""

from dataclasses import dataclass

import pytest
from metadata_export.errors import StorageError

BACKENDS = ("moto", "emulated AWS", "SeaweedFS")


@dataclass(frozen=True)
class Difference:
    """Tests that fail on a store, by their own assertion or by an error of the engine, and why."""

    backend: str
    reason: str
    tests: tuple[str, ...]
    """without the `test_given_` of their names"""
    raises: tuple[type[BaseException], ...] = (AssertionError, StorageError, pytest.fail.Exception)
    tried: bool = True
    """false: what comes of it depends on luck"""

    def mark(self) -> pytest.MarkDecorator:
        """Return the mark with which the tests must fail."""
        return pytest.mark.xfail(reason=self.reason, strict=True, raises=self.raises, run=self.tried)


DIFFERENCES = (
    Difference(
        "moto",
        "gives an object of parts the digest of their digests without their number, and no type of the checksum",
        (
            "parts_then_the_object_is_made_of_them_and_has_their_checksum",
            "the_object_then_its_checksum_is_called_composite",
            "a_part_that_is_repeated_then_the_last_one_counts",
            "a_completion_that_is_repeated_then_the_object_is_believed",
            "chunks_of_several_threads_then_the_object_is_what_the_manifest_says",
        ),
    ),
    Difference(
        "moto",
        "compares no checksum with what arrives",
        (
            "a_part_that_was_damaged_on_the_way_then_it_is_refused_and_may_be_sent_again",
            "an_object_that_was_damaged_on_the_way_then_it_is_refused",
            "a_list_that_gives_another_checksum_than_the_part_has_then_there_is_no_object",
            "a_list_without_checksums_then_there_is_no_object",
        ),
    ),
    Difference(
        "moto",
        "asks of part numbers only that they were uploaded",
        (
            "a_gap_in_the_part_numbers_then_there_is_no_object",
            "part_numbers_that_begin_with_two_then_there_is_no_object",
            "parts_out_of_order_then_there_is_no_object",
            "a_part_that_is_listed_twice_then_there_is_no_object",
        ),
    ),
    Difference(
        "moto",
        "breaks on an upload that it does not know, where S3 answers NoSuchUpload",
        (
            "an_upload_that_was_aborted_then_nothing_is_left_of_it",
            "a_completion_that_is_repeated_when_something_else_is_there_then_it_fails",
        ),
        raises=(KeyError,),
    ),
    Difference(
        "moto",
        "answers in the thread that asks, and nothing keeps two of them apart",
        (
            "rivals_for_a_free_key_then_one_has_it",
            "rivals_that_have_seen_the_same_then_one_of_them_writes",
        ),
        tried=False,
    ),
    Difference(
        "SeaweedFS",
        "takes gaps in the part numbers, and one number twice, also where parts have checksums",
        (
            "a_part_that_is_listed_twice_then_there_is_no_object",
            "a_gap_in_the_part_numbers_then_there_is_no_object",
            "part_numbers_that_begin_with_two_then_there_is_no_object",
        ),
    ),
    Difference(
        "SeaweedFS",
        "keeps the parts of every attempt, and takes the one whose ETag is listed",
        ("a_part_that_was_replaced_since_then_there_is_no_object",),
    ),
    Difference(
        "SeaweedFS",
        "knows no upload without a part: NoSuchUpload",
        ("no_parts_then_there_is_no_object",),
    ),
    Difference(
        "SeaweedFS",
        "has folders: they are listed in the order of their names, not of the keys, and a backslash is a slash",
        (
            "many_keys_then_they_are_in_the_order_of_their_bytes",
            "a_backslash_in_a_name_then_it_is_in_the_key",
        ),
    ),
)
