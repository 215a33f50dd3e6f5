"""What a manager's engine answers about a small swarm, as much of it as the page reads; and a server that does."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIGEST = "sha256:" + "0123456789abcdef" * 4


def node(number: int, role: str, **changes: Any) -> dict[str, Any]:
    manager = {"Leader": number == 1, "Reachability": "reachable", "Addr": f"10.68.0.{number}:2377"}
    return {
        "ID": f"node{number}",
        "Spec": {"Role": role, "Availability": "active", "Labels": {"disk": "ssd"}},
        "Description": {"Hostname": f"{role}-{number}", "Engine": {"EngineVersion": "20.10.24"}},
        "Status": {"State": "ready", "Addr": f"10.68.0.{number}"},
        **({"ManagerStatus": manager} if role == "manager" else {}),
        **changes,
    }


def task(slot: int, state: str = "running", **status: Any) -> dict[str, Any]:
    return {
        "ID": f"task{slot}{state}",
        "ServiceID": "service1",
        "Slot": slot,
        "NodeID": "node2",
        "Spec": {"ContainerSpec": {"Image": f"registry:5000/web@{DIGEST}"}},
        "DesiredState": "running" if state == "running" else "shutdown",
        "Status": {"State": state, "Timestamp": "2026-11-28T15:44:31.123456789Z", **status},
    }


def answers() -> dict[str, Any]:
    """By path; new at every call, for tests to change."""
    return {
        "/nodes": [node(2, "worker"), node(10, "worker"), node(1, "manager")],
        "/services?status=true": [
            {
                "ID": "service1",
                "Spec": {
                    "Name": "web",
                    "Mode": {"Replicated": {"Replicas": 3}},
                    "TaskTemplate": {
                        "ContainerSpec": {
                            "Image": f"registry:5000/web@{DIGEST}",
                            "Env": ["NOBODYS=business"],
                            "Mounts": [
                                {"Type": "volume", "Source": "pages", "Target": "/srv"},
                                {"Type": "bind", "Source": "/etc", "Target": "/host"},
                            ],
                        },
                        "Networks": [{"Target": "network1"}],
                    },
                },
                "Endpoint": {
                    "Ports": [{"PublishedPort": 80, "TargetPort": 8080, "Protocol": "tcp", "PublishMode": "host"}]
                },
                "ServiceStatus": {"RunningTasks": 2, "DesiredTasks": 3},
            },
            {
                "ID": "service2",
                "Spec": {
                    "Name": "edge",
                    "Mode": {"Global": {}},
                    "TaskTemplate": {"ContainerSpec": {"Image": "haproxy"}},
                },
                "ServiceStatus": {"RunningTasks": 3, "DesiredTasks": 3},
            },
        ],
        "/tasks": [
            task(1),
            task(2, "failed", Err="task: non-zero exit (1)"),
            {**task(0), "ID": "task0", "ServiceID": "service2", "Slot": None, "NodeID": "node1"},
        ],
        "/networks": [
            {
                "Id": "network1",
                "Name": "web",
                "Driver": "overlay",
                "Scope": "swarm",
                "Internal": True,
                "IPAM": {"Config": [{"Subnet": "10.128.1.0/24"}]},
                "Options": {"encrypted": ""},
            },
            {"Id": "network2", "Name": "bridge", "Driver": "bridge", "Scope": "local"},
        ],
    }


@dataclass
class Engine:
    """A server on 127.0.0.1: `told` is what it answers by path, `asked` what it was asked for."""

    endpoint: str = ""
    told: dict[str, Any] = field(default_factory=answers)
    asked: list[str] = field(default_factory=list[str])


@contextmanager
def serving() -> Generator[Engine]:
    """An engine with these answers, as long as it is needed."""
    engine = Engine()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            engine.asked.append(self.path)
            status = 200 if self.path in engine.told else 503
            body = json.dumps(engine.told.get(self.path, {"message": "This node is not a swarm manager."})).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's name
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    engine.endpoint = f"tcp://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield engine
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
