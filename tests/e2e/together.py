"""Several products of the stack file `all` on one swarm, and what is asked of each of them there."""

import base64
import json
import re
import ssl
import urllib.request
from typing import Any

from tests.e2e.platform import Platform, settings_of

SHIFT = 10_000
"""From the ports of the stack file to those of the tests."""
HOST = "http://127.0.0.1"
PROMETHEUS = "127.0.0.1:19090"
UI = "127.0.0.1:19000"


def some_of_all(*products: str, workers: int) -> dict[str, Any]:
    """The stack file with these products alone, on ports and addresses of its own, and quick to tell what is wrong."""
    found = shifted(settings_of("Pulumi.all.yaml"))
    services = found["services"]
    if monitoring := services.get("monitoring"):
        monitoring |= {"interval": "5s", "alerts": {**monitoring["alerts"], "after": "10s"}}
    return {
        **found,
        "network": {"machines": "10.81.0.0/24"},
        "ssh": {"first_port": 28100},
        "workers": {**found["workers"], "count": workers},
        "services": {name: settings if name in products else None for name, settings in services.items()},
        "load_balancer": {"statistics_port": 18413},
    }


def shifted(value: Any) -> Any:
    """Settings with every port on another number."""
    if isinstance(value, dict):
        return {key: one + SHIFT if key == "port" else shifted(one) for key, one in value.items()}
    return value


def asked(url: str, user: str, password: str, authority: str | None = None) -> Any:
    """The document behind a password."""
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {word}"})
    trusted = ssl.create_default_context(cadata=authority) if authority else None
    with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
        return json.load(answer)


def replicas(platform: Platform) -> dict[str, str]:
    """What runs of what is wanted, by service; what is done of what was to be done, by job."""
    rows = platform.on("manager-1", "docker service ls --format '{{.Name}}|{{.Replicas}}'").splitlines()
    return dict(row.split("|") for row in rows)


def complete(replicas: dict[str, str]) -> bool:
    """Whether all runs that is wanted, and each job is done: `3/3`, `0/1 (1/1 completed)`."""
    return all("1/1 completed" in one or re.fullmatch(r"([1-9]\d*)/\1", one) is not None for one in replicas.values())


def hdfs(platform: Platform, command: str) -> str:
    """A command in the NameNode's container; each word to HDFS starts a JVM."""
    container = "$(docker ps -q -f label=com.docker.swarm.service.name=hadoop-namenode)"
    return platform.on("worker-1", f"docker exec {container} sh -c '{command}'", seconds=300)
