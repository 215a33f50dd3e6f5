"""The Docker engine of this machine by its socket, with nothing but Python's own library: what the programs beside it
say to it never stands on a command line."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import quote

SOCKET = "/var/run/docker.sock"


class EngineError(Exception):
    """The engine refused, in its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} (HTTP {status})")
        self.status = status


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("docker", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """Requests to the Engine API, of whatever version the engine has; `seconds` is how long one may take."""

    def __init__(self, path: str = SOCKET, seconds: float = 60) -> None:
        self._path = path
        self._seconds = seconds

    def call(self, method: str, path: str, body: Any = None, **filters: list[str]) -> Any:
        """The answer, from JSON; EngineError for a refusal, OSError where no engine listens."""
        address = path + (f"?filters={quote(json.dumps(filters))}" if filters else "")
        text = None if body is None else json.dumps(body)
        connection = _SocketConnection(self._path, self._seconds)
        try:
            connection.request(method, address, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise EngineError(answer.status, _message(content))
        return json.loads(content) if content else None


def _message(content: bytes) -> str:
    """`{"message": …}` is the engine's form of an error."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip() or "no reason given"
