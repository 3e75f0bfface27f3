"""`python -m local.saved_queries`: write the questions of export_cli/questions into template.yaml, for Athena."""

import re
import textwrap
from pathlib import Path

from local.paths import ROOT

QUESTIONS = ROOT / "export_cli" / "questions"
TEMPLATE = ROOT / "template.yaml"
BLOCK = re.compile(r"(  # saved queries: written by [^\n]*\n)(.*?)(  # end of the saved queries\n)", re.DOTALL)
QUERY = """\
  {logical_id}:
    Type: AWS::Athena::NamedQuery
    Condition: WritesParquet
    Properties:
      Name: {name}
      Description: "{description}"
      Database: !Ref ExportCatalog
      WorkGroup: !Ref QueryWorkGroup
      QueryString: |
{text}
"""


def resources() -> str:
    """Return the resources of all questions, as they stand in the template."""
    return "\n".join(map(_resource, sorted(QUESTIONS.glob("*.athena.sql")))) + "\n"


def _resource(path: Path) -> str:
    name, text = path.name.removesuffix(".athena.sql"), path.read_text().rstrip("\n")
    return QUERY.format(
        logical_id=f"{name.title().replace('-', '')}Query",
        name=name,
        description=text.partition("\n")[0].removeprefix("-- ").replace('"', "'"),
        text=textwrap.indent(text, "        "),
    )


def written(template: str) -> str:
    """Return the template with the questions as they are now, in place of those that it has."""
    return BLOCK.sub(lambda found: found[1] + "\n" + resources() + found[3], template)


if __name__ == "__main__":
    TEMPLATE.write_text(written(TEMPLATE.read_text()))
