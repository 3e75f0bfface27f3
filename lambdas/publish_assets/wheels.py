"""Zips of wheels for Glue: one of several, for Glue documents no list of them.

AWS documented: a zip holds the folder ``wheels`` with wheel files and a ``requirements.txt`` that names them.
https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
"""

import io
import zipfile

REQUIREMENTS = "wheels/requirements.txt"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold


def joined(*archives: bytes) -> bytes:
    """Return a zip with the wheels of all, and one requirements file; the same bytes for the same zips."""
    content, requirements = io.BytesIO(), b""
    with zipfile.ZipFile(content, "w") as target:
        for archive in archives:
            with zipfile.ZipFile(io.BytesIO(archive)) as source:
                for entry in source.infolist():
                    if entry.filename == REQUIREMENTS:
                        requirements += source.read(entry)
                    else:
                        target.writestr(entry, source.read(entry))
        named = zipfile.ZipInfo(REQUIREMENTS, _ZIP_TIME)
        named.external_attr = 0o644 << 16
        target.writestr(named, requirements)
    return content.getvalue()
