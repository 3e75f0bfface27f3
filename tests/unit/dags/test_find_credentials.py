"""Where the DAG finds the database credentials on an MWAA worker."""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dags.conftest import ADDRESS, CANARY, IMAGE_ADDRESS, LOGIN, URL, found

HIDDEN = {URL: "airflow-db-not-allowed:///"}
IAM = {"USE_IAM_CREDENTIALS": "true", "MWAA__DB__POSTGRES_SSLMODE": "require", **IMAGE_ADDRESS}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(
            "postgresql+psycopg2://user:pw@db.example:6432/AirflowMetadata?sslmode=verify-full",
            {"host": "db.example", "port": 6432, "username": "user", "password": "pw", "sslmode": "verify-full"},
            id="plain",
        ),
        pytest.param(
            "postgresql+psycopg2://us%40er:p%40s%2Fs%3A%25%23%3F@h/AirflowMetadata",
            {"username": "us@er", "password": "p@s/s:%#?"},
            id="percent-encoded",
        ),
        pytest.param(
            "postgresql://us@er:b/c:d#e?f@db.example/AirflowMetadata",
            {"host": "db.example", "username": "us@er", "password": "b/c:d#e?f"},
            id="what SQLAlchemy takes unencoded",
        ),
        pytest.param(
            "postgresql://u:p@h/d?application_name=a@b/c&sslmode=prefer",
            {"host": "h", "dbname": "d", "password": "p", "sslmode": "prefer"},
            id="options with an address in them",
        ),
        pytest.param("postgres://u:p+w@h/AirflowMetadata", {"password": "p+w"}, id="a plus stays a plus"),
        pytest.param("postgresql://u:p@[2001:db8::1]:5439/d", {"host": "2001:db8::1", "port": 5439}, id="IPv6"),
        pytest.param("postgresql://u:p@[2001:db8::1]/d", {"host": "2001:db8::1", "port": 5432}, id="IPv6 without port"),
        pytest.param("postgresql://u:p@h/d", {"port": 5432, "sslmode": "require"}, id="no port and no sslmode"),
        pytest.param("postgresql://u:p@h:/d", {"host": "h", "port": 5432}, id="empty port"),
        pytest.param("postgresql+asyncpg://u:p@h/d?ssl=prefer", {"sslmode": "prefer"}, id="asyncpg"),
        pytest.param("postgresql+asyncpg://u:p@h/d?ssl=true", {"sslmode": "require"}, id="asyncpg, true"),
        pytest.param("postgresql+psycopg://u:p@h/d", {"host": "h"}, id="psycopg 3"),
        pytest.param("postgresql://u:p@h/d?sslmode=bogus", {"sslmode": "require"}, id="an sslmode that is none"),
        pytest.param("postgresql://u:p@h/d?sslmode=disable", {"sslmode": "disable"}, id="the worker does without TLS"),
        pytest.param(
            "postgresql://u:p@orders.proxy-abc123def456.eu-west-1.rds.amazonaws.com:5432/AirflowMetadata",
            {"host": "orders.proxy-abc123def456.eu-west-1.rds.amazonaws.com"},
            id="RDS Proxy",
        ),
        pytest.param("postgresql://u:p@h/my%20db?application_name=x", {"dbname": "my db"}, id="encoded database"),
    ],
)
def test_given_a_url_then_its_parts_are_the_secret(dag_file: Any, url: str, expected: dict[str, Any]) -> None:
    secret = found(dag_file, {URL: url})
    assert {key: secret[key] for key in expected} == expected
    assert set(secret) == {"engine", "host", "port", "dbname", "username", "password", "sslmode"}
    assert secret["engine"] == "postgres"


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        pytest.param({URL: f"postgresql://adminuser:{CANARY}@h/d"}, URL, id="Airflow 2"),
        pytest.param(
            {"AIRFLOW__CORE__SQL_ALCHEMY_CONN": f"postgresql://adminuser:{CANARY}@h/d"},
            "AIRFLOW__CORE__SQL_ALCHEMY_CONN",
            id="older Airflow 2",
        ),
        pytest.param(
            HIDDEN | {"MWAA__DB__CREDENTIALS": LOGIN} | IMAGE_ADDRESS,
            "MWAA__DB__CREDENTIALS",
            id="variables of the image",
        ),
        pytest.param(
            HIDDEN | {"MWAA__DB__POSTGRES_USER": "adminuser", "MWAA__DB__POSTGRES_PASSWORD": CANARY} | IMAGE_ADDRESS,
            "MWAA__DB__CREDENTIALS",
            id="user and password of the image",
        ),
        pytest.param(HIDDEN | {"DB_SECRETS": LOGIN} | ADDRESS, "DB_SECRETS", id="Airflow 3"),
        pytest.param(
            HIDDEN | {"MWAA__DB__CREDENTIALS": LOGIN} | ADDRESS, "MWAA__DB__CREDENTIALS", id="address by its other name"
        ),
        pytest.param(
            {"MWAA__DB__CREDENTIALS": "no json", "DB_SECRETS": LOGIN} | ADDRESS,
            "DB_SECRETS",
            id="a broken source is passed over",
        ),
    ],
)
def test_given_any_source_of_mwaa_then_it_is_used(dag_file: Any, environ: dict[str, str], source: str) -> None:
    name, secret = dag_file.find_credentials(environ)
    assert name == source
    assert (secret["username"], secret["password"]) == ("adminuser", CANARY)


def test_given_several_sources_then_the_declared_order_decides(dag_file: Any) -> None:
    sources = [
        (URL, {URL: "postgresql://first:pw@h/d"}),
        ("AIRFLOW__CORE__SQL_ALCHEMY_CONN", {"AIRFLOW__CORE__SQL_ALCHEMY_CONN": "postgresql://second:pw@h/d"}),
        ("MWAA__DB__CREDENTIALS", {"MWAA__DB__CREDENTIALS": '{"username": "third", "password": "pw"}'}),
        ("DB_SECRETS", {"DB_SECRETS": '{"username": "fourth", "password": "pw"}'} | ADDRESS),
    ]
    for index, (name, _) in enumerate(sources):
        environ = {key: value for _, part in sources[index:] for key, value in part.items()}
        assert dag_file.find_credentials(environ)[0] == name


def test_given_the_credentials_of_the_image_then_they_are_decoded_as_the_url_they_are_pasted_into(
    dag_file: Any,
) -> None:
    login = json.dumps({"username": "adminuser", "password": "p%40ss"})
    assert found(dag_file, {"MWAA__DB__CREDENTIALS": login} | IMAGE_ADDRESS)["password"] == "p@ss"


def test_given_db_secrets_then_the_password_is_taken_as_it_is(dag_file: Any) -> None:
    login = json.dumps({"username": "adminuser", "password": 'p%40ss"\\\n'})
    assert found(dag_file, {"DB_SECRETS": login} | ADDRESS)["password"] == 'p%40ss"\\\n'


@pytest.mark.parametrize("variable", ["MWAA__DB__POSTGRES_SSLMODE", "SSL_MODE"])
def test_given_a_worker_with_an_sslmode_then_it_is_kept(dag_file: Any, variable: str) -> None:
    assert found(dag_file, {"DB_SECRETS": LOGIN, variable: "prefer"} | ADDRESS)["sslmode"] == "prefer"


def test_given_no_database_name_then_it_is_the_one_of_mwaa(dag_file: Any) -> None:
    assert found(dag_file, {"DB_SECRETS": LOGIN, "POSTGRES_HOST": "h"})["dbname"] == "AirflowMetadata"


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="nothing at all"),
        pytest.param(HIDDEN, id="the placeholder of Airflow 3"),
        pytest.param({URL: f"sqlite:////tmp/{CANARY}"}, id="SQLite"),
        pytest.param({URL: f"postgresql://user@h/{CANARY}"}, id="URL without password"),
        pytest.param({"DB_SECRETS": f"{{{CANARY}"} | ADDRESS, id="not JSON"),
        pytest.param({"DB_SECRETS": json.dumps([CANARY])} | ADDRESS, id="JSON of another kind"),
        pytest.param({"DB_SECRETS": json.dumps({"password": CANARY})} | ADDRESS, id="no user"),
        pytest.param({"DB_SECRETS": json.dumps({"username": None, "password": CANARY})} | ADDRESS, id="user is null"),
        pytest.param({"DB_SECRETS": json.dumps({"username": "", "password": CANARY})} | ADDRESS, id="user is empty"),
        pytest.param({"DB_SECRETS": LOGIN}, id="no host"),
        pytest.param({"DB_SECRETS": LOGIN} | ADDRESS | {"POSTGRES_PORT": "five"}, id="port is no number"),
        pytest.param({"DB_SECRETS": LOGIN} | ADDRESS | {"POSTGRES_HOST": "a,b"}, id="several hosts"),
        pytest.param({URL: f"postgresql://u:{CANARY}@a:1,b:2/d"}, id="several hosts in a URL"),
        pytest.param({URL: f"postgresql://u:{CANARY}@[::1/d"}, id="half a bracket"),
        pytest.param({URL: f"postgresql://u:{CANARY}@h"}, id="URL without database"),
        pytest.param({URL: f"mysql://u:{CANARY}@h/d"}, id="MySQL"),
    ],
)
def test_given_no_usable_source_then_every_one_is_named_and_no_value(dag_file: Any, environ: dict[str, str]) -> None:
    with pytest.raises(dag_file.AirflowFailException) as failure:
        dag_file.find_credentials(environ)
    text = str(failure.value)
    for name in ("IAM token provider", URL, "AIRFLOW__CORE__SQL_ALCHEMY_CONN", "MWAA__DB__CREDENTIALS", "DB_SECRETS"):
        assert f"{name}: " in text
    assert CANARY not in text
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({URL: f"postgresql://u:{CANARY}@/d?host=/var/run/postgresql"}, id="in the query"),
        pytest.param({URL: f"postgresql://u:{CANARY}@%2Fvar%2Frun%2Fpostgresql/d"}, id="as host"),
        pytest.param({"DB_SECRETS": LOGIN} | ADDRESS | {"POSTGRES_HOST": "/var/run/postgresql"}, id="in a variable"),
    ],
)
def test_given_a_unix_socket_then_it_is_refused_and_the_reason_is_said(dag_file: Any, environ: dict[str, str]) -> None:
    with pytest.raises(dag_file.AirflowFailException, match="Glue reaches no Unix socket") as failure:
        dag_file.find_credentials(environ)
    assert CANARY not in str(failure.value)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)  # as PostgreSQL takes it


def as_sqlalchemy_1(text: str) -> str:
    """Encode as SQLAlchemy 1.4 does, which takes a percent sign for one that is encoded already."""
    return re.sub(r"[:@/]", lambda found: f"%{ord(found[0]):X}", text.replace("%", "%25"))


@pytest.mark.parametrize(
    "encode",
    [partial(quote, safe=""), partial(quote, safe=" +"), as_sqlalchemy_1],
    ids=["everything", "SQLAlchemy 2", "SQLAlchemy 1.4"],
)
@given(username=TEXT, password=TEXT, dbname=TEXT)
def test_given_any_login_and_database_in_a_url_then_they_come_out_as_they_went_in(
    dag_file: Any, encode: Callable[[str], str], username: str, password: str, dbname: str
) -> None:
    url = f"postgresql+psycopg2://{encode(username)}:{encode(password)}@db.example:6432/{quote(dbname, safe='')}?a=@/:"
    secret = found(dag_file, {URL: url})
    assert (secret["username"], secret["password"], secret["dbname"]) == (username, password, dbname)
    assert (secret["host"], secret["port"]) == ("db.example", 6432)


@given(username=TEXT, password=TEXT)
def test_given_any_login_in_json_then_it_comes_out_as_it_went_in(dag_file: Any, username: str, password: str) -> None:
    login = {"username": username, "password": password}
    encoded = {name: quote(value, safe="") for name, value in login.items()}
    for environ in (
        {"DB_SECRETS": json.dumps(login)} | ADDRESS,
        {"MWAA__DB__CREDENTIALS": json.dumps(encoded)} | IMAGE_ADDRESS,
    ):
        secret = found(dag_file, environ)
        assert {name: secret[name] for name in login} == login
