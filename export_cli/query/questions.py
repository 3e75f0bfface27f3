"""The questions that are asked most, by name: export_cli/questions, one file for each dialect."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from export_cli.errors import InvalidOptionError

DUCKDB, ATHENA = "duckdb", "athena"
HISTORY, TWO_EXPORTS = "history", "two exports"


@dataclass(frozen=True)
class Question:
    """A question.

    ``over`` says which exports it is asked of: ``history``, ``two exports`` (the newest), or empty: as the person says.
    """

    name: str
    title: str
    over: str
    sql: str


@cache
def questions(dialect: str = DUCKDB) -> dict[str, Question]:
    """Return all questions by name. The first line of a file is its title; the second may say ``-- over:``."""
    ending, folder = f".{dialect}.sql", files("export_cli").joinpath("questions")
    texts = {
        path.name.removesuffix(ending): path.read_text() for path in folder.iterdir() if path.name.endswith(ending)
    }
    return {name: _question(name, texts[name]) for name in sorted(texts)}


def statement(text: str) -> Question:
    """Return the question that has this name, or the SQL as a question without name.

    Raises:
        InvalidOptionError: it is one word and no question's name.
    """
    known = questions()
    if text in known:
        return known[text]
    if len(text.split()) < 2:
        raise InvalidOptionError(f"There is no question {text!r}. Allowed is SQL or one of: {', '.join(known)}.")
    return Question("", "", "", text)


def _question(name: str, sql: str) -> Question:
    title, second = (line.removeprefix("-- ") for line in sql.splitlines()[:2])
    return Question(name, title, second.removeprefix("over: ") if second.startswith("over: ") else "", sql)
