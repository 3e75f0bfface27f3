"""What libraries do again and again in a suite though the result is always the same: here they do it once a process.

Measured with 5,900 unit tests: a quarter of their processor time.
"""

import atexit
import gc
from functools import cache
from types import ModuleType

import botocore.loaders
import moto.core.models
import moto.kms.models
import moto.s3.models


def economize() -> None:
    """Let it be done once."""
    # botocore parses the same models for every session, and tests have a session each.
    load = cache(botocore.loaders.JSONFileLoader().load_file)
    botocore.loaders.JSONFileLoader.load_file = lambda self, path: load(path)  # type: ignore[method-assign]
    # moto generates an RSA key for each KMS key, symmetric ones too,
    moto.kms.models.generate_private_key = cache(moto.kms.models.generate_private_key)  # type: ignore[attr-defined]
    # and imports its table of S3 URLs anew for every request: an environment variable could have changed it.
    moto.s3.models.reload = _as_it_is  # type: ignore[attr-defined]
    # It prepares for the library requests whenever it starts, which nobody here calls AWS by.
    moto.core.models.RESPONSES_METHODS.clear()


def keep_what_was_collected() -> None:
    """Let Python not look for garbage among the tests and modules, of which none ever is any."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    atexit.register(gc.unfreeze)  # libraries in C++ report what is left at the very end


def _as_it_is(module: ModuleType) -> ModuleType:
    return module
