"""Archives of wheels, as a Glue job takes them."""

import io
import zipfile
from collections.abc import Mapping


def wheel_archive(modules: Mapping[str, str]) -> bytes:
    """Return a `.gluewheels.zip` with one wheel of these modules, name -> source."""
    wheel, archive = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as zipped:
        for name, source in modules.items():
            zipped.writestr(f"{name}.py", source)
        zipped.writestr("own-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
        zipped.writestr(
            "own-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        zipped.writestr("own-1.0.dist-info/RECORD", "")
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("wheels/own-1.0-py3-none-any.whl", wheel.getvalue())
        zipped.writestr("wheels/requirements.txt", "own==1.0\n")
    return archive.getvalue()
