"""What there is, is documented; what is documented, is there."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from export_contracts.verdict import DETAIL_TYPE, SOURCE

from export_cli.__main__ import cli as command_line

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in DOCUMENTS}
EVERYTHING = "\n".join(TEXTS.values())
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
WIDTH = 120
TARGET = re.compile(r"^([a-z][a-z-]*):.*?##", re.MULTILINE)


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as plain values."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: getattr(node, "value", None))
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506 - a SafeLoader
TARGETS = TARGET.findall((ROOT / "Makefile").read_text())


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[str, str]]:
    for name, text in TEXTS.items():
        yield from ((name, target) for target in LINK.findall(FENCED.sub("", text)) if "://" not in target)


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        yield f"{path}{name}", command


def test_documents_and_links_are_found() -> None:
    assert len(TEXTS) > 15
    assert len(list(links())) > 30
    assert len(TARGETS) > 10


def test_the_answers_to_copy_are_to_what_the_template_asks() -> None:
    settings = tomllib.loads((ROOT / "docs" / "examples" / "deploy.toml").read_text())["orders"]["deploy"]["parameters"]
    answered = {each.partition("=")[0] for each in settings["parameter_overrides"]}
    assert answered == {name for name, body in TEMPLATE["Parameters"].items() if "Default" not in body}


def test_a_decision_has_a_number_of_its_own_and_says_it() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(page.name.partition("-")[0]) for page in pages]
    assert len(set(numbers)) == len(numbers) > 15
    assert [page.read_text().partition(".")[0] for page in pages] == [f"# {number}" for number in numbers]


@pytest.mark.parametrize(("document", "target"), sorted(set(links())))
def test_no_link_is_dead(document: str, target: str) -> None:
    file, _, anchor = target.partition("#")
    linked = (ROOT / document).parent / file if file else ROOT / document
    assert linked.exists()
    if anchor:
        assert anchor in anchors(linked)


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_every_page_is_in_the_index(page: str) -> None:
    assert f"(docs/{page})" in TEXTS["README.md"]


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs" / "howto").glob("*.md")))
def test_every_page_of_a_minute_is_found_by_the_words_of_people_and_is_short(page: str) -> None:
    assert f"(howto/{page})" in TEXTS["docs/README.md"]
    assert len(TEXTS[f"docs/howto/{page}"].split()) < 300


@pytest.mark.parametrize("parameter", sorted(TEMPLATE["Parameters"]))
def test_every_parameter_is_documented(parameter: str) -> None:
    assert f"`{parameter}`" in TEXTS["docs/configure.md"]


@pytest.mark.parametrize("output", sorted(TEMPLATE["Outputs"]))
def test_every_output_is_documented(output: str) -> None:
    assert f"`{output}`" in EVERYTHING


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_is_documented(target: str) -> None:
    assert re.search(rf"make {target}\b(?!-)", EVERYTHING)


def test_every_documented_make_target_exists() -> None:
    documented = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", EVERYTHING, re.MULTILINE))
    assert documented <= set(TARGETS)


@pytest.mark.parametrize(("name", "command"), list(commands(command_line)), ids=lambda value: str(value))
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    text = TEXTS["docs/cli.md"]
    assert f"`{name}" in text or f"mwaa-metadata-export {name}" in text
    options = [max(each.opts, key=len) for each in command.params if isinstance(each, click.Option) and not each.hidden]
    assert [option for option in options if option not in text] == []


def test_every_documented_command_exists() -> None:
    documented = set(re.findall(r"mwaa-metadata-export ([a-z]+)\b", EVERYTHING))
    assert documented <= set(command_line.commands)
    assert documented


ALARMS = [
    each["Properties"]["AlarmName"].rpartition("}")[2]
    for each in TEMPLATE["Resources"].values()
    if each["Type"] == "AWS::CloudWatch::Alarm"
]


@pytest.mark.parametrize("name", ["FAILED", "TIMED_OUT", "ABORTED", "INCOMPLETE", "recovered", "complete"])
def test_every_alert_is_documented(name: str) -> None:
    assert re.search(rf"\| `<env> .*{name}", TEXTS["docs/operate.md"])


def test_every_alarm_is_named_where_pagers_are_told_of_them() -> None:
    listed = TEXTS["docs/notify.md"].partition("it hears of the [alarms]")[2].partition("which is what should")[0]
    names = [name.removeprefix("-metadata-export-").replace("-", " ") for name in ALARMS]
    assert [name for name in names if name not in " ".join(listed.split())] == []


def test_the_snippets_for_chat_and_pagers_fit_the_event() -> None:
    texts = re.findall(r"^```yaml\n(.*?)^```", TEXTS["docs/notify.md"], re.DOTALL | re.MULTILINE)
    resources = {name: each for text in texts for name, each in yaml.load(text, Loader)["Resources"].items()}  # noqa: S506
    rule = resources["VerdictRule"]["Properties"]
    schema = json.loads((ROOT / "docs/contracts/verdict_event.schema.json").read_text())
    verdicts = schema["properties"]["verdict"]["enum"]

    assert (rule["EventPattern"]["source"], rule["EventPattern"]["detail-type"]) == ([SOURCE], [DETAIL_TYPE])
    assert set(rule["EventPattern"]["detail"]["verdict"]) < set(verdicts)
    assert rule["Targets"][0]["InputPath"].removeprefix("$.detail.") in schema["required"]
    assert resources["ChatChannel"]["Properties"]["SnsTopicArns"] == [rule["Targets"][0]["Arn"]]
    assert {"Opsgenie", "PagerDuty"} < resources.keys()


@pytest.mark.parametrize("alarm", ALARMS)
def test_every_alarm_is_documented(alarm: str) -> None:
    assert f"<env>{alarm}`" in TEXTS["docs/operate.md"]


@pytest.mark.parametrize("name", TEXTS)
def test_prose_is_wrapped(name: str) -> None:
    """Tables, examples and what has no place to break (a picture, a long name) may be wider."""
    prose = [line for line in FENCED.sub("", TEXTS[name]).splitlines() if not line.lstrip().startswith(("|", "!["))]
    too_long = [line for line in prose if len(line) > WIDTH and " " in re.sub(r"`[^`]*`", "", line)]
    assert too_long == []
