"""Questions to a Docker Engine, or to a proxy in front of one (https://docs.docker.com/engine/api/v1.41/)."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import quote, urlsplit

SECONDS = 5.0
"""How long one answer may take: a manager without a quorum never gives one."""


class EngineError(Exception):
    """The engine did not answer, or with an error."""


class Engine:
    """`address` as DOCKER_HOST has it: `unix:///var/run/docker.sock` or `tcp://host:port`."""

    def __init__(self, address: str) -> None:
        self._text = address
        self._address = urlsplit(address)

    def get(self, path: str, **query: str) -> Any:
        """The JSON that it answers to a GET."""
        words = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        connection = self._connection()
        try:
            connection.request("GET", f"{path}?{words}" if words else path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"{self._text} does not answer {path}: {error}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise EngineError(f"{path}: {answer.status} {body[:200].decode(errors='replace').strip()}")
        try:
            return json.loads(body)
        except ValueError as error:
            raise EngineError(f"{path}: no JSON") from error

    def _connection(self) -> http.client.HTTPConnection:
        if self._address.scheme == "unix":
            return _SocketConnection(self._address.path)
        return http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=SECONDS)


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)
