"""The browser itself, at pages of this test: it runs scripts, waits for what comes later, sends a password, and tells a
blank page from one that shows something."""

import base64
import socket
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.browser.look import NotSeenError, look

pytestmark = pytest.mark.e2e
SCRIPTED = """<!DOCTYPE html><title>t</title><h1 id="one">before</h1><p id="two"></p><script>
document.getElementById('one').textContent = 'written by a script';
fetch('/data.json').then(answer => answer.json()).then(data => setTimeout(
  () => { document.getElementById('two').textContent = data.word }, 500));
</script>"""
CREDENTIALS = "Basic " + base64.b64encode(b"someone:of-someone").decode()


class Pages(BaseHTTPRequestHandler):
    """What the browser is shown."""

    pages: ClassVar[dict[str, str]] = {
        "/": SCRIPTED,
        "/data.json": '{"word": "and fetched by it"}',
        "/blank": "<!DOCTYPE html><title>t</title><script>let shown = 'nothing'</script>",
    }
    counted: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        if self.path == "/private" and self.headers["Authorization"] != CREDENTIALS:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="t"')
            self.end_headers()
            return
        self.counted.append(self.path)
        later = {"/private": "come in", "/soon": "the third" if self.counted.count("/soon") > 2 else "not yet"}
        body = (self.pages | later).get(self.path, "").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's name
        """Nobody reads it."""


@pytest.fixture(scope="module")
def site() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_scripts_run_and_what_they_write_is_seen(site: str) -> None:
    page = look(f"http://{site}/", wait_for="and fetched by it", size=(600, 400))
    assert page.text == "t written by a script and fetched by it"
    assert not page.is_blank
    # Width and height, as the picture's head says them.
    assert (int.from_bytes(page.screenshot[16:20]), int.from_bytes(page.screenshot[20:24])) == (600, 400)


def test_a_blank_page_is_told_from_one_that_shows_something(site: str) -> None:
    assert look(f"http://{site}/blank", size=(600, 400)).is_blank


def test_a_password_in_the_address_is_sent(site: str) -> None:
    assert look(f"http://someone:of-someone@{site}/private").text == "come in"


def test_a_page_is_looked_at_until_it_shows_what_is_waited_for(site: str) -> None:
    assert look(f"http://{site}/soon", wait_for="the third").text == "the third"


def test_what_does_not_come_is_an_error_without_the_password(site: str) -> None:
    with pytest.raises(NotSeenError, match=f"no 'never' within 0.1 s on http://{site}/: t written") as caught:
        look(f"http://someone:of-someone@{site}/", wait_for="never", seconds=0.1)
    assert "of-someone" not in str(caught.value)


def test_a_page_that_nobody_serves_is_waited_for_and_then_an_error() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(NotSeenError, match="Page load failed: net::ERR_CONNECTION_REFUSED"):
            look(f"http://127.0.0.1:{nobody.getsockname()[1]}/", seconds=0.1)
