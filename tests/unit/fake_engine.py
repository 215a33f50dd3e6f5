"""A Docker engine on a Unix socket as far as the programs on machines of a pool speak with one."""

import json
import re
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SELF = "manager-node"


class RefusedError(Exception):
    """What the engine answers with instead."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FakeEngine:
    """Its state, which tests change as they like; `requests` are those that change something, `seen` are all."""

    def __init__(self) -> None:
        self.swarm: dict[str, Any] = {"LocalNodeState": "inactive", "NodeID": "", "ControlAvailable": False}
        self.nodes: dict[str, dict[str, Any]] = {}
        self.tasks: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.seen: list[str] = []
        self.refusals: dict[str, RefusedError] = {}
        self.joins: list[Callable[[], None]] = []

    def lead(self) -> None:
        """The machine is a manager, and the leader."""
        self.swarm = {"LocalNodeState": "active", "NodeID": SELF, "ControlAvailable": True}
        self.add(SELF, "10.60.0.11", "manager-1", role="manager", leader=True)

    def add(
        self,
        node_id: str,
        address: str,
        host_name: str = "i-other",
        *,
        state: str = "ready",
        role: str = "worker",
        leader: bool = False,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes[node_id] = {
            "ID": node_id,
            "Version": {"Index": 1},
            "Spec": {"Role": role, "Availability": "active", "Labels": dict(labels or {})},
            "Description": {"Hostname": host_name},
            "Status": {"State": state, "Addr": address},
            **({"ManagerStatus": {"Leader": leader}} if role == "manager" else {}),
        }

    def labels(self, node_id: str) -> dict[str, str]:
        return self.nodes[node_id]["Spec"]["Labels"]

    def run(self, node_id: str, *states: str) -> None:
        """The tasks that the node has from now on."""
        self.tasks = [task for task in self.tasks if task["NodeID"] != node_id]
        self.tasks += [{"NodeID": node_id, "Status": {"State": state}} for state in states]

    def answer(self, method: str, address: str, body: Any) -> Any:
        """The engine's answer to one request."""
        path, query = urlsplit(address).path, parse_qs(urlsplit(address).query)
        self.seen.append(f"{method} {path}")
        if method != "GET":
            self.requests.append((method, address, body))
        for pattern, refusal in self.refusals.items():
            if re.fullmatch(pattern, f"{method} {path}"):
                raise refusal
        return self._routes(method, path, query, body)

    def _routes(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        match method, path.strip("/").split("/"):
            case "GET", ["info"]:
                return {"Swarm": self.swarm}
            case "GET", ["nodes"]:
                return list(self.nodes.values())
            case "GET", ["nodes", node_id]:
                return self.nodes[node_id]
            case "GET", ["tasks"]:
                (wanted,) = json.loads(query["filters"][0])["node"]
                return [task for task in self.tasks if task["NodeID"] == wanted]
            case "POST", ["nodes", node_id, "update"]:
                self._update(node_id, int(query["version"][0]), body)
            case "DELETE", ["nodes", node_id]:
                if self.nodes[node_id]["Spec"]["Role"] == "manager":
                    raise RefusedError(400, "a manager has to be demoted first")
                del self.nodes[node_id]
            case "POST", ["swarm", "join"]:
                self._join()
            case "POST", ["swarm", "leave"]:
                self.swarm["LocalNodeState"] = "inactive"
            case _:
                raise RefusedError(404, "page not found")
        return None

    def _update(self, node_id: str, version: int, spec: dict[str, Any]) -> None:
        node = self.nodes[node_id]
        if version != node["Version"]["Index"]:
            raise RefusedError(500, "rpc error: code = Unknown desc = update out of sequence")
        node["Spec"] = spec
        node["Version"] = {"Index": version + 1}

    def _join(self) -> None:
        if self.swarm["LocalNodeState"] != "inactive":
            raise RefusedError(503, "This node is already part of a swarm")
        if self.joins:
            self.joins.pop(0)()
        else:
            self.swarm["LocalNodeState"] = "active"


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextmanager
def serve(engine: FakeEngine, path: Path) -> Generator[str]:
    """The engine listens on the socket `path` as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            try:
                status, content = 200, engine.answer(self.command, self.path, body)
            except RefusedError as refusal:
                status, content = refusal.status, {"message": str(refusal)}
            text = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if text:
                self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - names of the library

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            return

    with _Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield str(path)
        finally:
            server.shutdown()
            thread.join()
