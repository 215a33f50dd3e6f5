"""A world of fake machines and the plugin served over it."""

from collections.abc import Iterator
from typing import Any

import pytest

from plugins.swarm import managers, operation
from plugins.swarm.operation import Session
from tests.unit.swarm_plugin.client import Engine, Object
from tests.unit.swarm_plugin.fake_docker import World, connection, served


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake machines answer at once: pauses between two looks would only cost time."""
    monkeypatch.setattr(operation, "INTERVAL", 0.004)
    monkeypatch.setattr(operation, "SLOWEST_INTERVAL", 0.01)
    monkeypatch.setattr(managers, "PAUSE", 0.005)
    monkeypatch.setattr(managers, "PATIENCE", 5)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def both(world: World) -> Iterator[tuple[Engine, Session]]:
    with served(world) as pair:
        yield pair


@pytest.fixture
def engine(both: tuple[Engine, Session]) -> Engine:
    return both[0]


@pytest.fixture
def session(both: tuple[Engine, Session]) -> Session:
    return both[1]


class Formed:
    """A swarm of the fake world: managers m1..., workers w1..."""

    def __init__(self, engine: Engine, managers: int = 3, workers: int = 1) -> None:
        self.engine = engine
        self.managers = [f"m{number}" for number in range(1, managers + 1)]
        self.names = [*self.managers, *(f"w{number}" for number in range(1, workers + 1))]
        self.cluster = engine.create("Cluster", self.cluster_inputs())
        self.nodes = {name: engine.create("Node", self.node_inputs(name), name=name) for name in self.names}

    def cluster_inputs(self, **changed: Any) -> dict[str, Any]:
        ways = [connection(name) for name in self.managers]
        return {"connection": ways[0], "managers": ways, "advertiseAddress": "m1", **changed}

    def node_inputs(self, name: str, **changed: Any) -> dict[str, Any]:
        role = "manager" if name in self.managers else "worker"
        return {
            "connection": connection(name),
            "managers": [connection(manager) for manager in self.managers],
            "clusterId": self.cluster.id,
            "managerAddresses": self.cluster["managerAddresses"],
            "joinToken": self.cluster.outputs[f"{role}Token"],
            "role": role,
            "advertiseAddress": name,
            "labels": {"zone": "a"},
            **changed,
        }

    def job_inputs(self, **changed: Any) -> dict[str, Any]:
        ways = [connection(name) for name in self.managers]
        return {"managers": ways, "clusterId": self.cluster.id, "image": "tool:1", **changed}

    def update(self, name: str, **changed: Any) -> Object:
        self.nodes[name] = self.engine.update(self.nodes[name], {**self.nodes[name].inputs, **changed})
        return self.nodes[name]


@pytest.fixture
def formed(engine: Engine) -> Formed:
    return Formed(engine)
