"""Athena's workgroup and the queries that its console offers."""

from local.saved_queries import TEMPLATE, written
from tests.unit.template.definitions import ROOT, resources

QUESTIONS = ROOT / "export_cli" / "questions"
CONDITION = "WritesParquet"


def test_the_saved_queries_are_the_questions_of_the_command():
    """After a change of a question: `python -m local.saved_queries`."""
    saved = {each["Properties"]["Name"]: each["Properties"] for each in resources("AWS::Athena::NamedQuery").values()}
    texts = {path.name.removesuffix(".athena.sql"): path.read_text() for path in QUESTIONS.glob("*.athena.sql")}
    assert len(texts) > 5
    assert {name: query["QueryString"].rstrip() for name, query in saved.items()} == {
        name: text.rstrip() for name, text in texts.items()
    }


def test_writing_them_again_changes_nothing():
    assert written(TEMPLATE.read_text()) == TEMPLATE.read_text()


def test_nothing_of_it_is_there_with_csv_alone():
    kinds = ("AWS::Athena::NamedQuery", "AWS::Athena::WorkGroup", "AWS::Glue::Database")
    assert [each for kind in kinds for each in resources(kind).values() if each.get("Condition") != CONDITION] == []
    policies = resources("AWS::IAM::RolePolicy")
    assert {policies[name]["Condition"] for name in ("ExportParquet", "KeepTheCatalog")} == {CONDITION}


def test_a_query_that_reads_too_much_is_ended_and_results_are_encrypted_apart_from_the_exports():
    [group] = resources("AWS::Athena::WorkGroup").values()
    settings = group["Properties"]["WorkGroupConfiguration"]
    assert settings["EnforceWorkGroupConfiguration"] is True
    assert settings["BytesScannedCutoffPerQuery"] == 10_000_000_000
    assert settings["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    assert "-athena/" in str(settings["ResultConfiguration"]["OutputLocation"])
