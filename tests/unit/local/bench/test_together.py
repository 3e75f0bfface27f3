"""Several commands as one contestant."""

import json
import sys
from pathlib import Path

import pytest

from local.bench.together import COMMANDS, main

WAIT = "import pathlib, time\nwhile not pathlib.Path('{other}').exists(): time.sleep(0.01)"


def commands(folder: Path, **codes: str) -> Path:
    for name in codes:
        (folder / name).mkdir()
    described = {name: {"argv": [sys.executable, "-c", code], "env": {"NAME": name}} for name, code in codes.items()}
    (folder / COMMANDS).write_text(json.dumps(described))
    return folder


def test_given_commands_that_wait_for_each_other_when_run_then_at_once_each_in_its_folder_and_environment(
    tmp_path: Path,
) -> None:
    own = "import os, pathlib\npathlib.Path(os.environ['NAME']).touch()\n"
    a, b = (own + WAIT.format(other=tmp_path / name / name) for name in "ba")

    assert main(commands(tmp_path, a=a, b=b)) == 0


def test_given_one_that_fails_when_run_then_its_last_words_and_code_and_the_others_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = "import pathlib; pathlib.Path('done').touch()", "import sys; print('no such table'); sys.exit(3)"

    assert main(commands(tmp_path, bad=bad, good=good)) == 3
    assert (tmp_path / "good" / "done").exists()
    assert capsys.readouterr().err == "bad ended with 3:\nno such table\n"
