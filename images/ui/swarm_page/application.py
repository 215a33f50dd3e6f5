"""The page as a WSGI application: who asks is let in or asked for the password, and nothing that is asked for changes
anything in the swarm."""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from . import pages
from .gate import TICKET_SECONDS, Gate, TooManyFailuresError
from .markup import Html
from .swarm import Swarm, SwarmError

_LARGEST_FORM: Final = 4096
_OURS_ALONE: Final = "HttpOnly; SameSite=Strict"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What goes back: `status` with its words, the body, and headers beside the usual ones."""

    status: str
    body: str = ""
    kind: str = _HTML
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Application:
    """Called by the server for every request."""

    swarm: Swarm
    gate: Gate
    log: Callable[[str], None]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            answer = self._answer(environ)
        except TooManyFailuresError as error:
            wait = {"Retry-After": str(error.seconds)}
            answer = Answer(status="429 Too Many Requests", body=pages.login_page(str(error)), headers=wait)
        except SwarmError as error:
            self.log(f"the swarm does not answer: {error}")
            body = pages.failure_page("The swarm does not answer", str(error))
            answer = Answer(status="502 Bad Gateway", body=body)
        body = answer.body.encode()
        length = {"Content-Type": answer.kind, "Content-Length": str(len(body))}
        start_response(answer.status, list({**_HEADERS, **length, **answer.headers}.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
        if method == "POST" and path in ("/login", "/logout"):
            return self._log_in(environ) if path == "/login" else self._logged_out()
        if method not in ("GET", "HEAD"):
            return Answer(status="405 Method Not Allowed", body="this page only reads\n", kind="text/plain")
        return self._open(path) or self._guarded(environ, path)

    def _open(self, path: str) -> Answer | None:
        """What everybody may have, and says nothing."""
        if path == "/alive":
            return Answer(status="200 OK", body="ok\n", kind="text/plain")
        if path == "/healthz":
            # Healthy is who can list the services, not who has a port open.
            try:
                self.swarm.services()
            except SwarmError as error:
                self.log(f"the swarm does not answer: {error}")
                return Answer(status="503 Service Unavailable", body="the swarm does not answer\n", kind="text/plain")
            return Answer(status="200 OK", body="ok\n", kind="text/plain")
        if path == "/style.css":
            return Answer(status="200 OK", body=pages.STYLE, kind="text/css; charset=utf-8")
        if path == "/login":
            return Answer(status="200 OK", body=pages.login_page())
        return None

    def _guarded(self, environ: dict[str, Any], path: str) -> Answer:
        admitted = self.gate.admits(self._ticket(environ)) or self._knows_password(environ)
        if path == "/basic":
            # For who has the password in the address: a browser sends it only when it is asked in these words.
            return self._entered(environ) if admitted else _challenge()
        if not admitted and "HTTP_AUTHORIZATION" in environ:
            return _challenge()
        if not admitted:
            return Answer(status="303 See Other", headers={"Location": "/login"})
        page = self._page(path)
        if page is None:
            body = pages.failure_page("Not found", "There is nothing of this name any more.")
            return Answer(status="404 Not Found", body=body)
        return Answer(status="200 OK", body=page)

    def _page(self, path: str) -> Html | None:
        if path == "/":
            return pages.overview(self.swarm)
        kind, _, name = path.removeprefix("/").partition("/")
        makers = {"services": pages.service_page, "nodes": pages.node_page}
        return makers[kind](self.swarm, name) if kind in makers and name else None

    def _log_in(self, environ: dict[str, Any]) -> Answer:
        form = _form(environ)
        if self._opens(environ, form.get("user", ""), form.get("password", "")):
            return self._entered(environ)
        return Answer(status="403 Forbidden", body=pages.login_page("These are not user and password."))

    def _knows_password(self, environ: dict[str, Any]) -> bool:
        scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return self._opens(environ, user, password)

    def _opens(self, environ: dict[str, Any], user: str, password: str) -> bool:
        opened = self.gate.opens(user, password)
        if not opened:
            said = environ.get("HTTP_X_FORWARDED_FOR", "")
            self.log(f"wrong password from {environ.get('REMOTE_ADDR', '')} (who says {said!r})")
        return opened

    def _entered(self, environ: dict[str, Any]) -> Answer:
        secure = "; Secure" if environ.get("HTTP_X_FORWARDED_PROTO") == "https" else ""
        cookie = f"{self.gate.cookie}={self.gate.ticket()}; Path=/; Max-Age={TICKET_SECONDS}; {_OURS_ALONE}{secure}"
        return Answer(status="303 See Other", headers={"Location": "/", "Set-Cookie": cookie})

    def _logged_out(self) -> Answer:
        cookie = f"{self.gate.cookie}=; Path=/; Max-Age=0; {_OURS_ALONE}"
        return Answer(status="303 See Other", headers={"Location": "/login", "Set-Cookie": cookie})

    def _ticket(self, environ: dict[str, Any]) -> str:
        """By hand: what other pages on this host left there is no reason to overlook ours."""
        for part in environ.get("HTTP_COOKIE", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.gate.cookie:
                return value
        return ""


def _challenge() -> Answer:
    headers = {"WWW-Authenticate": 'Basic realm="Swarm", charset="UTF-8"'}
    return Answer(status="401 Unauthorized", body=pages.login_page(), headers=headers)


def _form(environ: dict[str, Any]) -> dict[str, str]:
    """The fields of a form; what is too large for one has none."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if not 0 <= length <= _LARGEST_FORM:
            return {}
        fields = parse_qs(environ["wsgi.input"].read(length).decode(), max_num_fields=8)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
