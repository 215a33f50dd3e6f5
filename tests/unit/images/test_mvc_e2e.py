"""The images of the MVC application: one migration for all, the same products from every task, two releases beside each
other, and what is said when something is wrong."""

import json
import re
from collections.abc import Callable
from http.client import HTTPConnection, HTTPMessage
from urllib.parse import urlencode

import pytest

from tests.unit.images.containers import Started, Yard
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e

PASSWORDS = {"/run/secrets/user": ("of-user", 0o444), "/run/secrets/root": ("of-root", 0o444)}
DATABASE = {
    "MYSQL_DATABASE": "mvc",
    "MYSQL_USER": "mvc",
    "MYSQL_PASSWORD_FILE": "/run/secrets/user",
    "MYSQL_ROOT_PASSWORD_FILE": "/run/secrets/root",
}
ENVIRONMENT = {
    "MVC_DATABASE_HOST": "database",
    "MVC_DATABASE": "mvc",
    "MVC_DATABASE_USER": "mvc",
    "MVC_DATABASE_PASSWORD_FILE": "/run/secrets/user",
}
HOSTILE = "Board <script>'); DROP TABLE products; --"

Start = Callable[..., Started]


@pytest.fixture
def start(yard: Yard, mvc_images: tuple[str, str]) -> Start:
    def start(*words: str, release: int = 0, alias: str = "", **changed: str) -> Started:
        environment = {**ENVIRONMENT, **changed}
        image, ports = mvc_images[release], () if words else (80,)
        command = list(words) or None
        return yard.start(image, alias=alias, command=command, environment=environment, files=PASSWORDS, ports=ports)

    return start


@pytest.fixture
def database(yard: Yard) -> Started:
    return yard.start(yard.images["mariadb"], alias="database", files=PASSWORDS, environment=DATABASE)


def ended(yard: Yard, started: Started) -> tuple[int, str]:
    """Exit code and output of a command that ends."""
    code: int = yard.client.wait(started.identity, timeout=120)["StatusCode"]
    return code, started.logs()


def sql(database: Started, statement: str) -> str:
    """What the database's administrator is answered."""
    code, answer = database.run("env", "MYSQL_PWD=of-root", "mariadb", "-N", "mvc", "-e", statement)
    assert code == 0, answer
    return answer.strip()


def healthy(started: Started) -> None:
    wait_for("mvc-health is content", lambda: started.run("mvc-health")[0] == 0)


def ask(
    started: Started, path: str, form: dict[str, str] | None = None, cookie: str = ""
) -> tuple[int, HTTPMessage, str]:
    """Code, headers and text; a redirection is not followed."""
    connection = HTTPConnection("127.0.0.1", started.port(80), timeout=30)
    headers = {"Cookie": cookie} if cookie else {}
    if form is None:
        connection.request("GET", path, headers=headers)
    else:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("POST", path, urlencode(form), headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()


def token(started: Started) -> str:
    """What a form brings, in itself and as a cookie."""
    _, headers, page = ask(started, "/products/new")
    (found,) = re.findall('name="token" value="([^"]+)"', page)
    assert headers["Set-Cookie"] == f"form-token={found}; HttpOnly; Path=/; SameSite=Strict"
    return found


def save(started: Started, path: str = "/products", **form: str) -> tuple[int, HTTPMessage, str]:
    sent = token(started)
    return ask(started, path, {"token": sent, **form}, f"form-token={sent}")


def test_of_two_migrations_at_once_one_makes_the_tables_and_the_other_finds_them(
    start: Start, yard: Yard, request: pytest.FixtureRequest
) -> None:
    migrations = [start("mvc-migrate"), start("mvc-migrate")]  # before there is a database
    database: Started = request.getfixturevalue("database")
    results = [ended(yard, migration) for migration in migrations]
    assert [code for code, _ in results] == [0, 0]
    assert "".join(text for _, text in results).count("applied 0001-products") == 1
    assert all("release 1.0: the schema is 1" in text for _, text in results)
    assert sql(database, "SELECT version, name, applied_by FROM schema_versions") == "1\t0001-products\trelease 1.0"
    assert sql(database, "SELECT COUNT(*) FROM products") == "5"
    assert ended(yard, start("mvc-migrate")) == (0, "release 1.0: the schema is 1\n")
    assert sql(database, "SELECT COUNT(*) FROM products") == "5"


def test_a_product_that_one_task_takes_is_shown_by_another_as_it_was_written(
    start: Start, yard: Yard, database: Started
) -> None:
    assert ended(yard, start("mvc-migrate"))[0] == 0
    one, other = (start(alias=alias, TASK_NAME=f"mvc.{alias}", NODE_NAME="worker-1") for alias in ("app-1", "app-2"))
    healthy(one)
    healthy(other)
    status, headers, _ = save(one, name=HOSTILE, category="Sea", price="99.90")
    assert (status, headers["Location"]) == (303, "/")

    status, headers, page = ask(other, "/")
    assert status == 200
    assert headers["X-Served-By"] == "app-2"
    for place, value in {
        "version": "release 1.0",
        "task": "mvc.app-2",
        "node": "worker-1",
        "schema": "schema 1",
        "database": "database",
    }.items():
        assert f'id="{place}">{value}<' in page
    assert "Board &lt;script&gt;&#39;); DROP TABLE products; --" in page
    assert "<script>" not in page
    assert sql(database, "SELECT COUNT(*) FROM products") == "6"

    assert save(other, "/products/6", name="Surfboard", category="Sea", price="89.90")[0] == 303
    assert "Surfboard" in ask(one, "/")[2]
    assert 'value="89.90"' in ask(one, "/products/6")[2]


def test_what_is_wrong_with_a_request_is_told_and_changes_nothing(start: Start, yard: Yard, database: Started) -> None:
    assert ended(yard, start("mvc-migrate"))[0] == 0
    app = start(alias="app")
    healthy(app)
    status, _, page = save(app, name="Raft", category="", price="free")
    assert status == 422
    assert "Category is missing." in page
    assert "Price is not an amount such as 12.50." in page
    assert 'value="Raft"' in page, "what was right need not be written again"

    form = {"name": "Raft", "category": "Sea", "price": "5"}
    assert ask(app, "/products", form)[0] == 403
    assert ask(app, "/products", {**form, "token": "guessed"}, f"form-token={token(app)}")[0] == 403
    assert ask(app, "/products", {**form, "token": ""}, "form-token=")[0] == 403
    for path in ("/products/4711", "/elsewhere", "/?page=0", "/?page=99999999999999999999"):
        assert ask(app, path)[0] == 404
    assert save(app, "/products/4711", **form)[0] == 404
    assert sql(database, "SELECT COUNT(*) FROM products") == "5"


def test_a_page_holds_fifty_products_and_leads_to_the_next(start: Start, yard: Yard, database: Started) -> None:
    assert ended(yard, start("mvc-migrate"))[0] == 0
    app = start(alias="app")
    healthy(app)
    assert "Older" not in ask(app, "/")[2]
    copies = (
        "INSERT INTO products (name, category, price) SELECT 'Sail', 'Sea', 1 FROM products a, products b, products c"
    )
    sql(database, f"{copies} LIMIT 46")
    first, second = (ask(app, path)[2] for path in ("/", "/?page=2"))
    assert first.count(">Edit<") == 50
    assert '<a href="/?page=2">Older</a>' in first
    assert second.count(">Edit<") == 1
    assert "Kayak" in second
    assert "Older" not in second


def test_release_1_1_is_healthy_after_its_migration_and_1_0_works_on_beside_it(
    start: Start, yard: Yard, database: Started
) -> None:
    assert ended(yard, start("mvc-migrate"))[0] == 0
    old, new = start(alias="old"), start(alias="new", release=1)
    healthy(old)
    wait_for("an answer of the new release", lambda: "503" in new.run("mvc-health")[1])
    assert ask(new, "/")[0] == 503
    assert "the schema is 1, and release 1.1 needs 2" in ask(new, "/health")[2]

    assert ended(yard, start("mvc-migrate", release=1)) == (0, "applied 0002-stock\nrelease 1.1: the schema is 2\n")
    healthy(new)
    assert save(new, name="Anchor", category="Sea", price="20", stock="7")[0] == 303
    healthy(old)
    assert save(old, "/products/6", name="Anchor, large", category="Sea", price="30")[0] == 303
    assert save(old, name="Rope", category="Sea", price="4")[0] == 303
    assert sql(database, "SELECT name, stock FROM products WHERE id > 5") == "Anchor, large\t7\nRope\t0"
    assert ended(yard, start("mvc-migrate")) == (0, "release 1.0: the schema is 2\n"), "the way back changes nothing"


def test_a_migration_that_fails_names_its_file_and_is_completed_by_the_next(
    start: Start, yard: Yard, database: Started
) -> None:
    assert ended(yard, start("mvc-migrate"))[0] == 0
    sql(database, "REVOKE ALTER ON mvc.* FROM mvc; FLUSH PRIVILEGES")
    code, said = ended(yard, start("mvc-migrate", release=1))
    assert code == 1
    assert re.search("^mvc-migrate: 0002-stock.sql failed: ALTER command denied to user 'mvc'", said, re.MULTILINE)
    assert sql(database, "SELECT MAX(version) FROM schema_versions") == "1"
    sql(database, "GRANT ALTER ON mvc.* TO mvc")
    # As if the first had been killed after the change of the table, and before its number was written.
    sql(database, "ALTER TABLE products ADD COLUMN stock INT UNSIGNED NOT NULL DEFAULT 0")
    assert ended(yard, start("mvc-migrate", release=1))[0] == 0
    assert sql(database, "SELECT MAX(version) FROM schema_versions") == "2"


def test_a_migration_waits_no_longer_than_it_may(start: Start, yard: Yard, database: Started) -> None:
    code, said = ended(yard, start("mvc-migrate", MVC_DATABASE_HOST="nobody", MVC_MIGRATION_WAIT="1"))
    assert code == 1
    assert "mvc-migrate: no way into the database: Can't connect to MySQL server on 'nobody'" in said
    wait_for("the database is content", lambda: database.run("database-health")[0] == 0)
    holder = "SELECT GET_LOCK('mvc-migration', 1); SELECT SLEEP(100)"
    yard.client.exec_start(
        yard.client.exec_create(database.identity, ["env", "MYSQL_PWD=of-root", "mariadb", "-e", holder])["Id"],
        detach=True,
    )
    wait_for("the lock is held", lambda: sql(database, "SELECT IS_USED_LOCK('mvc-migration')") != "NULL")
    code, said = ended(yard, start("mvc-migrate", MVC_MIGRATION_WAIT="1"))
    assert (code, said) == (1, "mvc-migrate: another migration has held the lock for 1 s\n")


def test_a_database_that_is_away_is_a_page_that_says_so_until_it_is_back(
    start: Start, yard: Yard, database: Started
) -> None:
    assert ended(yard, start("mvc-migrate"))[0] == 0
    app = start(alias="app")
    healthy(app)
    database.stop()
    status, headers, page = ask(app, "/")
    assert status == 503
    assert headers["X-Served-By"] == "app"
    assert "The catalogue cannot be reached" in page
    assert app.run("mvc-health")[0] != 0
    yard.client.start(database.identity)
    healthy(app)
    assert "Kayak" in ask(app, "/")[2]


def test_the_application_runs_without_root_and_its_password_is_in_no_variable(
    start: Start, yard: Yard, database: Started
) -> None:
    assert ended(yard, start("mvc-migrate"))[0] == 0
    app = start(alias="app")
    healthy(app)
    assert app.run("id", "-un")[1].strip() == "mvc"
    assert "of-" not in json.dumps(yard.client.inspect_container(app.identity)["Config"])
    processes = app.processes()
    assert "MVC_DATABASE_PASSWORD_FILE=/run/secrets/user" in processes
    assert "gunicorn" in processes
    assert "of-user" not in processes
    assert ask(app, "/products/new")[0] == 200
    app.says('"GET /products/new HTTP/1.1" 200')
    assert app.stop() == 0
    assert "/health" not in app.logs(), "what proxies ask is no news"


@pytest.mark.parametrize("word", ["mvc-start", "mvc-migrate"])
def test_a_missing_password_is_said_in_one_line(start: Start, yard: Yard, word: str) -> None:
    code, said = ended(yard, start(word, MVC_DATABASE_PASSWORD_FILE="/run/secrets/none"))
    assert code != 0
    assert f"{word}: MVC_DATABASE_PASSWORD_FILE is " in said
    assert "/run/secrets/none" in said
