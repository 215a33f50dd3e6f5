"""The page about the swarm without its image: what it says, whom it says it to, and that no text of others is ever
markup in it."""

import base64
import io
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.ui.swarm_page import pages
from images.ui.swarm_page.application import Application
from images.ui.swarm_page.gate import TICKET_SECONDS, Gate, TooManyFailuresError
from images.ui.swarm_page.markup import Html, joined, tag
from images.ui.swarm_page.swarm import Swarm, SwarmError, short_image
from tests.unit.images.engine_answers import answers, node, serving, task

PASSWORD = "of-the-administrator"


class Told(Swarm):
    """A swarm that says what a test gives it."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(endpoint="tcp://nobody:1")
        self.told = told

    def _get(self, path: str) -> Any:
        if path not in self.told:
            raise SwarmError(f"nobody answers for {path}")
        return self.told[path]


class Visitor:
    """Someone with a browser: keeps the cookie that he gets."""

    def __init__(self, told: dict[str, Any] | None = None, gate: Gate | None = None) -> None:
        self.said: list[str] = []
        swarm = Told(answers() if told is None else told)
        self.application = Application(swarm=swarm, gate=gate or Gate(PASSWORD), log=self.said.append)
        self.cookie = ""
        self.headers: dict[str, str] = {}

    def ask(self, path: str, method: str = "GET", body: str = "", **environ: str) -> tuple[int, str]:
        received: list[Any] = []
        environment: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "HTTP_COOKIE": self.cookie,
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "10.128.2.3",
            "wsgi.input": io.BytesIO(body.encode()),
            **environ,
        }
        parts = self.application(environment, lambda *values: received.extend(values))
        status, headers = received
        self.headers = dict(headers)
        self.cookie = self.headers.get("Set-Cookie", self.cookie).partition(";")[0]
        return int(status.split()[0]), b"".join(parts).decode()

    def log_in(self, user: str = "admin", password: str = PASSWORD) -> int:
        return self.ask("/login", "POST", urlencode({"user": user, "password": password}))[0]


class Elements(HTMLParser):
    """Which elements a page has, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_the_page_shows_what_docker_shows() -> None:
    visitor = Visitor()
    visitor.log_in()
    status, page = visitor.ask("/")
    assert status == 200
    rows = ["".join(Elements(row).text) for row in re.findall("<tr>(.*?)</tr>", page)]
    for row in (
        "manager-1managerreadyactiveleader10.68.0.120.10.24disk=ssd",
        "worker-10workerreadyactive10.68.0.1020.10.24disk=ssd",
        "webreplicated2/3registry:5000/web@sha256:0123456789ab80→8080/tcp (host)web",
        "edgeglobal3/3haproxy",
        "web.2worker-2failedshutdown2026-11-28 15:44:31task: non-zero exit (1)registry:5000/web@sha256:0123456789ab",
        "weboverlay10.128.1.0/24internalencrypted",
        "webpages:/srv",
    ):
        assert row in rows, rows
    assert page.index("worker-2<") < page.index("worker-10<")
    assert '<span class="bad">2/3</span>' in page
    assert '<span class="good">3/3</span>' in page
    assert '<meta http-equiv="refresh" content="10">' in page
    # Environment variables and folders of nodes are nobody's business, and networks of one node no news.
    assert not {"business", "/etc", "bridge"} & set(page.replace(">", " ").replace("<", " ").split())


def test_a_service_and_a_node_have_a_page_with_their_tasks() -> None:
    visitor = Visitor()
    visitor.log_in()
    page = visitor.ask("/services/web")[1]
    assert page.count("<td>web.") == 2
    assert "edge" not in page
    assert "edge.manager-1" in visitor.ask("/nodes/manager-1")[1]
    assert "web.1" not in visitor.ask("/nodes/manager-1")[1]
    for path in (
        "/services/none",
        "/nodes/none",
        "/services/",
        "/nodes",
        "/none",
        "/services/web/more",
        "/../etc/passwd",
    ):
        assert visitor.ask(path)[0] == 404, path


def test_without_the_password_there_is_a_form_and_nothing_else() -> None:
    visitor = Visitor()
    for path in ("/", "/services/web", "/nodes/manager-1", "/none"):
        status, body = visitor.ask(path)
        assert (status, body, visitor.headers["Location"]) == (303, "", "/login"), path
    status, page = visitor.ask("/login")
    assert status == 200
    assert ("input", ("name", "type", "autocomplete", "autofocus")) in Elements(page).found
    assert "manager-1" not in page


def test_the_right_words_open_and_others_do_not() -> None:
    visitor = Visitor()
    for user, password in (("admin", ""), ("admin", PASSWORD + "x"), ("root", PASSWORD), ("", ""), ("ädmin", "ü")):
        assert visitor.log_in(user, password) == 403, (user, password)
        assert visitor.cookie == ""
    assert visitor.log_in() == 303
    assert visitor.headers["Location"] == "/"
    assert visitor.ask("/")[0] == 200
    assert visitor.ask("/logout", "POST")[0] == 303
    assert visitor.ask("/")[0] == 303


def test_the_ticket_is_for_the_browser_alone_and_no_password() -> None:
    visitor = Visitor()
    visitor.log_in()
    assert visitor.headers["Set-Cookie"].endswith(f"Path=/; Max-Age={TICKET_SECONDS}; HttpOnly; SameSite=Strict")
    assert PASSWORD not in visitor.headers["Set-Cookie"]
    visitor.ask("/login", "POST", urlencode({"user": "admin", "password": PASSWORD}), HTTP_X_FORWARDED_PROTO="https")
    assert visitor.headers["Set-Cookie"].endswith("; Secure")


def test_cookies_of_other_pages_on_the_host_are_in_nobodys_way() -> None:
    visitor, other = Visitor(), Visitor(gate=Gate("another"))
    visitor.log_in()
    other.log_in()
    assert visitor.cookie.partition("=")[0] != other.cookie.partition("=")[0]
    visitor.cookie = f'settings={{"a":[1,2]}}; =; {other.cookie}; {visitor.cookie}; x'
    assert visitor.ask("/")[0] == 200
    assert other.ask("/", HTTP_COOKIE="x;y=1; ")[0] == 303


def test_a_ticket_of_another_password_or_another_time_or_a_changed_one_is_none() -> None:
    now = 1_000_000.0
    gate = Gate(PASSWORD, clock=lambda: now)
    ticket = gate.ticket()
    assert gate.admits(ticket)
    expires, signature = ticket.split(".")
    changed = (
        f"{int(expires) + 1}.{signature}",
        f"{expires}.{signature[:-1]}",
        expires,
        "",
        ".",
        f"x.{signature}",
        "é.é",
    )
    assert [text for text in changed if gate.admits(text)] == []
    assert not Gate("another", clock=lambda: now).admits(ticket)
    now += TICKET_SECONDS
    assert not gate.admits(ticket)
    # A restart logs nobody out.
    assert Gate(PASSWORD, clock=lambda: now - 1).admits(ticket)


def test_guessing_ends_after_ten_wrong_passwords_and_goes_on_a_minute_later() -> None:
    now = 1000.0
    gate = Gate(PASSWORD, clock=lambda: now)
    known = gate.ticket()
    for _ in range(10):
        assert not gate.opens("admin", "guess")
        now += 1
    with pytest.raises(TooManyFailuresError, match="too many wrong passwords; try again in 51 s"):
        gate.opens("admin", PASSWORD)
    assert gate.admits(known), "whoever is in stays in"
    now += 50.5
    assert gate.opens("admin", PASSWORD)
    with pytest.raises(ValueError, match="the password is empty"):
        Gate("")


def test_a_guesser_is_told_to_wait_and_is_written_down_without_what_he_guessed() -> None:
    visitor = Visitor()
    statuses = [visitor.log_in(password=f"guess-{number}") for number in range(12)]
    assert statuses == [403] * 10 + [429] * 2
    assert 0 < int(visitor.headers["Retry-After"]) <= 61
    assert visitor.ask("/", HTTP_AUTHORIZATION=basic("admin", PASSWORD))[0] == 429
    assert visitor.said[0] == "wrong password from 10.128.2.3 (who says '')"
    assert not any("guess" in line for line in visitor.said)


def test_the_password_may_come_as_basic_authentication() -> None:
    visitor = Visitor()
    assert visitor.ask("/", HTTP_AUTHORIZATION=basic("admin", PASSWORD))[0] == 200
    for value in (basic("admin", "wrong"), "Basic !", "Basic /w==", "Bearer x", "Basic"):
        assert visitor.ask("/", HTTP_AUTHORIZATION=value)[0] == 401, value
        assert visitor.headers["WWW-Authenticate"].startswith("Basic ")
    # A browser that has the password in the address gives it only when it is asked so.
    assert visitor.ask("/basic")[0] == 401
    assert visitor.ask("/basic", HTTP_AUTHORIZATION=basic("admin", PASSWORD))[0] == 303
    assert visitor.cookie.startswith("flotilla_")
    assert visitor.ask("/")[0] == 200


@pytest.mark.parametrize("body", ["x" * 5000, "&".join(["user=admin"] * 20), "\x00%", "user=%ff&password=%ff", ""])
def test_what_is_no_form_opens_nothing(body: str) -> None:
    visitor = Visitor()
    assert visitor.ask("/login", "POST", body)[0] == 403
    assert visitor.ask("/login", "POST", body, CONTENT_LENGTH="-1")[0] == 403
    assert visitor.ask("/login", "POST", body, CONTENT_LENGTH="many")[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_the_page_only_reads(method: str) -> None:
    visitor = Visitor()
    visitor.log_in()
    for path in ("/", "/services/web", "/nodes/manager-1", "/healthz"):
        assert visitor.ask(path, method)[0] == 405


def test_every_answer_forbids_scripts_frames_and_copies() -> None:
    visitor = Visitor()
    for path in ("/", "/login", "/healthz", "/basic", "/style.css"):
        visitor.ask(path)
        assert "default-src 'none'" in visitor.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in visitor.headers["Content-Security-Policy"]
        assert visitor.headers["Cache-Control"] == "no-store"
    assert visitor.ask("/login", "HEAD") == (200, "")
    assert int(visitor.headers["Content-Length"]) > 100


def test_a_swarm_that_is_silent_is_told_and_not_healthy_but_the_page_is_alive() -> None:
    visitor = Visitor({})
    assert visitor.ask("/healthz") == (503, "the swarm does not answer\n")
    assert visitor.ask("/alive") == (200, "ok\n")
    visitor.log_in()
    status, page = visitor.ask("/")
    assert status == 502
    assert "nobody answers for /nodes" in page
    assert visitor.said == [
        "the swarm does not answer: nobody answers for /networks",
        "the swarm does not answer: nobody answers for /nodes",
    ]
    assert Visitor().ask("/healthz") == (200, "ok\n")


NASTY = st.text(alphabet="<>&\"'/=; abé\n", min_size=1, max_size=12)


@given(NASTY, NASTY, NASTY)
def test_no_text_of_others_is_ever_markup(name: str, error: str, label: str) -> None:
    plain, nasty = answers(), answers()
    nasty["/nodes"][0] = node(2, "worker", Spec={"Role": error, "Availability": label, "Labels": {label: error}})
    nasty["/nodes"][0]["Description"]["Hostname"] = name
    nasty["/services?status=true"][0]["Spec"]["Name"] = name
    nasty["/services?status=true"][0]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = error
    nasty["/tasks"][1] = task(2, error, Err=label)
    nasty["/networks"][0]["Name"] = error
    for make in (
        pages.overview,
        lambda swarm: pages.service_page(swarm, name),
        lambda swarm: pages.node_page(swarm, name),
    ):
        made = make(Told(nasty))
        assert made is not None
        found = Elements(made)
        # Elements with their attributes: no text of others made another one.
        assert set(found.found) <= set(Elements(pages.overview(Told(plain))).found)
        assert name in "".join(found.text)
    assert label in "".join(Elements(pages.failure_page("x", label)).text)


def test_what_is_markup_stays_and_what_is_text_is_escaped() -> None:
    assert tag("a", "<b>", tag("i", "&"), href='"x', class_="c", title=None) == (
        '<a href="&quot;x" class="c">&lt;b&gt;<i>&amp;</i></a>'
    )
    # What was put together by hand is text again.
    assert joined([f"{Html('<b>')}"]) == "&lt;b&gt;"
    assert short_image(f"web@sha256:{'a' * 64}") == f"web@sha256:{'a' * 12}"
    assert short_image("web:1") == "web:1"


def test_one_look_asks_the_engine_once_for_each_thing() -> None:
    with serving() as engine:
        swarm = Swarm(endpoint=engine.endpoint)
        assert "manager-1" in pages.overview(swarm)
        pages.overview(swarm)
        assert sorted(engine.asked) == ["/networks", "/nodes", "/services?status=true", "/tasks"]


def test_the_engines_own_words_are_told() -> None:
    with serving() as engine:
        engine.told.clear()
        swarm = Swarm(endpoint=engine.endpoint)
        for _ in range(2):
            with pytest.raises(SwarmError, match=r"/networks was answered with 503: This node is not a swarm manager"):
                swarm.services()
        assert engine.asked == ["/networks"], "a failure is kept for a moment too"
    with pytest.raises(SwarmError, match=r"127\.0\.0\.1:1 does not answer: .*refused"):
        Swarm(endpoint="tcp://127.0.0.1:1").nodes()
