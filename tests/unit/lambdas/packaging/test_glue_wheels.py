"""Zips of wheels for Glue."""

import importlib.util
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from publish_assets.properties import PYTHON_VERSIONS

WHEELS = {
    "psycopg_binary-3.3.9-cp311-cp311-manylinux2014_x86_64.whl": b"binary",
    "isal-1.9.1-cp311-cp311-manylinux2014_x86_64.whl": b"isal",
    "mwaa_metadata_export_glue-0.1.0-py3-none-any.whl": b"own",
}


@pytest.fixture(scope="module")
def glue_wheels() -> ModuleType:
    """Give the script; it is no package that anything imports."""
    path = Path(__file__).parents[4] / "lambdas" / "packaging" / "glue_wheels.py"
    spec = importlib.util.spec_from_file_location("glue_wheels", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    """Give wheel files."""
    for name, body in WHEELS.items():
        (tmp_path / name).write_bytes(body)
    return [tmp_path / name for name in WHEELS]


def test_given_wheels_then_the_zip_has_them_and_a_requirements_file_in_the_folder_wheels(glue_wheels, wheels, tmp_path):
    glue_wheels.pack(wheels, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert set(archive.namelist()) == {"wheels/requirements.txt", *(f"wheels/{name}" for name in WHEELS)}
        assert archive.read("wheels/requirements.txt").decode().splitlines() == [
            "isal==1.9.1",
            "mwaa-metadata-export-glue==0.1.0",
            "psycopg-binary==3.3.9",
        ]


def test_given_the_same_wheels_in_another_order_then_the_bytes_are_the_same(glue_wheels, wheels, tmp_path):
    glue_wheels.pack(wheels, tmp_path / "one.zip")
    for wheel in wheels:
        wheel.touch()
    glue_wheels.pack(reversed(wheels), tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_given_the_versions_that_are_built_then_they_are_those_that_can_be_published(glue_wheels):
    assert glue_wheels.PYTHON_VERSIONS == PYTHON_VERSIONS


def test_given_the_versions_that_are_built_then_each_has_a_layer(glue_wheels):
    makefile = (Path(__file__).parents[4] / "lambdas" / "Makefile").read_text()
    for version in glue_wheels.PYTHON_VERSIONS:
        for layer in ("GluePython", "FernetPython"):
            target = f"build-{layer}{version.replace('.', '')}Layer:\n\t$(call glue_wheels,{version},"
            assert target in makefile
