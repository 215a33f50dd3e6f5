"""The server: one page of metrics for each path. `node` tells of this node's engine, `swarm` of the whole swarm."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from .containers import Containers
from .engine import Engine
from .node import add_certificate, add_network, add_raft
from .swarm import add_swarm
from .text import CONTENT_TYPE, Families

PORT: Final = 9101
Pages = Mapping[str, Callable[[], str]]


def pages(part: str, environment: Mapping[str, str]) -> Pages:
    """What is served under which path. `/healthz` answers when the questions behind it were answered."""
    if part == "swarm":
        engine = Engine(environment["DOCKER_HOST"])
        return {"/metrics": lambda: swarm_metrics(engine), "/healthz": lambda: f"{len(engine.get('/nodes'))} nodes\n"}
    if part == "node":
        engine = Engine(environment["DOCKER_HOST"]) if "DOCKER_HOST" in environment else None
        containers = Containers(engine) if engine else None
        return {
            "/metrics": lambda: node_metrics(containers, environment),
            "/engine": lambda: engine_metrics(environment["ENGINE_METRICS"]),
            "/healthz": lambda: f"{len(engine.get('/containers/json'))} containers\n" if engine else "no containers\n",
        }
    sys.exit(f"exporter: unknown part '{part}': use node or swarm")


def swarm_metrics(engine: Engine) -> str:
    """The state of the swarm."""
    families = Families()
    add_swarm(families, engine)
    return families.render()


def node_metrics(containers: Containers | None, environment: Mapping[str, str]) -> str:
    """This node's containers, certificate, Raft log and network."""
    families = Families()
    if containers is not None:
        containers.add_to(families, time.time())
    folder = Path(environment["SWARM_FOLDER"])
    add_certificate(families, folder)
    add_raft(families, folder)
    add_network(families, Path(environment["NETWORK_FILE"]))
    return families.render()


def engine_metrics(address: str) -> str:
    """The engine's own metrics, which it gives to this machine alone."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        return answer.read().decode()


def handler(served: Pages) -> type[BaseHTTPRequestHandler]:
    """A handler of requests for these pages."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 15

        def do_GET(self) -> None:
            page = served.get(self.path.partition("?")[0])
            if page is None:
                self._answer(404, f"use {', '.join(served)}\n")
                return
            # Whoever asks is told what failed, and the next one may get an answer.
            try:
                self._answer(200, page())
            except Exception as error:
                print(f"{self.path}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
                self._answer(503, f"{type(error).__name__}: {error}\n")

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
            """Only failures are worth a line."""

    return Handler


def main() -> None:
    """Serve until SIGTERM."""
    server = ThreadingHTTPServer(("0.0.0.0", PORT), handler(pages(sys.argv[1], os.environ)))  # noqa: S104
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    main()
