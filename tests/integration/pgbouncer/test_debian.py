"""Where PgBouncer cannot be had, it is said why; in CI that is a failure, elsewhere a skip."""

from pathlib import Path
from typing import Any

import pytest

from local import debian, pgbouncer
from tests.integration.pgbouncer import conftest


def test_given_a_machine_without_apt_when_a_package_is_wanted_then_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(debian.DebianPackageError, match="apt-get is not on this machine"):
        debian.ensure("pgbouncer", "usr/sbin/pgbouncer", tmp_path / "pgbouncer")


def test_given_no_such_package_when_wanted_then_it_is_named_and_nothing_counts_as_unpacked(tmp_path: Path) -> None:
    if not Path("/usr/bin/apt-get").exists():
        pytest.skip("no apt-get here")
    with pytest.raises(debian.DebianPackageError, match="no-such-package"):
        debian.ensure("no-such-package", "usr/bin/none", tmp_path)

    assert not (tmp_path / "complete").exists()


def test_given_an_unpacked_program_when_wanted_again_then_it_is_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    first = conftest.available(pgbouncer.ensure)
    monkeypatch.setenv("PATH", "")

    assert pgbouncer.ensure() == first


@pytest.mark.parametrize(("ci", "outcome"), [("true", debian.DebianPackageError), ("", pytest.skip.Exception)])
def test_given_no_package_when_a_test_needs_it_then_it_fails_in_ci_and_skips_elsewhere(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Any:
        raise debian.DebianPackageError("no network")

    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no network"):
        conftest.available(refuse)
