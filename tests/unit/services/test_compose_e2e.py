"""A Compose file on a real swarm: its services come up, a second update and a refresh change nothing, and the exported
file, deployed by Docker's own `docker stack deploy`, makes the same tasks."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from components.services.compose.read import read_compose
from components.services.compose.write import deployable, write_compose
from stacks.export import services_of
from tests.graph.graph import Graph, record
from tests.unit.providers.conftest import Start, provider
from tests.unit.providers.test_docker_live import (
    NETWORK,
    SERVICE,
    Made,
    socket_of,
    swarm_fixture,
)
from tests.waiting import wait_for

__all__ = ["provider", "swarm_fixture"]  # fixtures
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SECRET, CONFIG = "docker:index/secret:Secret", "docker:index/serviceConfig:ServiceConfig"
SIGNATURE = "4dabf18193072939515e22adb298388d"
DEADLINE_SECONDS = 180
FILE = """
x-loop: &loop ["/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 0.2; done"]
services:
  app:
    image: bb:1
    command: *loop
    environment: {MODE: "on", PRICE: "5$$"}
    labels: {tier: front}
    hostname: app
    user: "0:0"
    group_add: ["7"]
    working_dir: /tmp
    init: true
    read_only: true
    cap_add: [net_admin]
    cap_drop: [MKNOD]
    sysctls: {net.ipv4.ip_forward: 1}
    extra_hosts: ["upstream:192.0.2.7"]
    dns: 192.0.2.53
    dns_search: [example.com]
    dns_opt: ["ndots:2"]
    stop_signal: SIGINT
    stop_grace_period: 2s
    healthcheck: {test: [CMD, /bin/true], interval: 1s, timeout: 30s, retries: 3, start_period: 5s}
    logging: {driver: json-file, options: {max-size: 1m}}
    ports:
      - {target: 53, published: 5353, protocol: udp, mode: host}
    networks: {front: {aliases: [www]}, back: }
    volumes:
      - data:/data
      - /etc/hostname:/etc/machine:ro
      - {type: tmpfs, target: /run, tmpfs: {size: 16m, mode: 0755}}
    secrets: [{source: password, target: /run/secrets/pw, mode: 0400, uid: "1000", gid: "1000"}]
    configs: [page]
    deploy:
      labels: {type: app}
      placement: {constraints: [node.role == manager], preferences: [{spread: node.labels.rack}]}
      resources: {limits: {cpus: "0.5", memory: 64m}, reservations: {cpus: "0.1", memory: 16m}}
      restart_policy: {condition: on-failure, delay: 1s, max_attempts: 30, window: 1m30s}
      update_config: {parallelism: 2, delay: 2s, failure_action: pause, monitor: 2s, max_failure_ratio: 0.5}
      rollback_config: {parallelism: 0, delay: 1s, failure_action: continue, monitor: 3s, max_failure_ratio: 0.1}
  agent:
    image: bb:1
    entrypoint: *loop
    stop_grace_period: 2s
    healthcheck: {disable: true}
    deploy: {mode: global}
networks: {front: {attachable: true}, back: {internal: true, labels: {owner: app}}}
volumes: {data: {labels: {keep: "on"}}}
secrets: {password: {file: password.txt}}
configs: {page: {content: "at $$HOME"}}
"""


@pytest.fixture(name="swarmed")
def swarmed_fixture(provider: Start, swarm: docker.APIClient) -> Iterator[Made]:
    made = Made(provider("docker", host=socket_of(swarm)))
    yield made
    made.remove()


@pytest.fixture(name="recorded", scope="module")
def recorded_fixture(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """The program's own graph of the file: what the engine would hand to the provider."""
    folder = tmp_path_factory.mktemp("compose")
    (folder / "stack.yaml").write_text(FILE)
    (folder / "password.txt").write_text("secret of the test")
    settings: dict[str, Any] = {
        "managers": {"count": 1},
        "workers": {"count": 0},
        "services": {"web": None, "wordpress": None},
        "compose": {"live": {"file": str(folder / "stack.yaml")}},
    }
    return record(settings, "applied")


def plain(value: Any) -> Any:
    """A value of the wire without its envelope."""
    return value["value"] if isinstance(value, dict) and SIGNATURE in value else value


def made_of(recorded: Graph, swarmed: Made) -> list[dict[str, Any]]:
    """Everything of the file in the swarm, in the order of the program, as its state would have it."""
    state: list[dict[str, Any]] = []
    ids: dict[str, str] = {}
    names: dict[str, str] = {}
    for resource in recorded.resources:
        if resource.type not in (NETWORK, SECRET, CONFIG, SERVICE) or not resource.name.startswith("compose-live"):
            continue
        text = json.dumps({key: plain(value) for key, value in resource.inputs.items()})
        for placeholder, real in (*ids.items(), *names.items()):
            text = text.replace(f'"{placeholder}"', f'"{real}"')
        identity, outputs, checked = swarmed.make(resource.type, resource.name, json.loads(text))
        swarmed.expect_unchanged(resource.type, resource.name, identity, outputs, checked)
        ids[f"{resource.name}-id"] = identity
        names[f"{resource.name}-1234567"] = outputs["name"]
        inputs = {key: value for key, value in json.loads(text).items() if key != "data"}
        state.append({"urn": resource.urn, "type": resource.type, "id": identity, "inputs": inputs})
    return state


def converged(swarm: docker.APIClient, service: str) -> dict[str, Any]:
    """The service when one task of it runs, and is healthy where that is checked."""

    def states() -> list[tuple[str, str | None]]:
        tasks = swarm.tasks({"service": service, "desired-state": "running"})
        return [(task["Status"]["State"], task["Status"].get("Err")) for task in tasks]

    wait_for(
        lambda: f"a task of {service} runs: {states()}",
        lambda: any(state == "running" for state, _ in states()),
        DEADLINE_SECONDS,
    )
    return swarm.inspect_service(service)


def template(swarm: docker.APIClient, service: dict[str, Any], prefix: str) -> dict[str, Any]:
    """What the tasks of a service are made of, without what it is called by and what only the engine writes."""
    spec = json.loads(json.dumps(service["Spec"]))
    task, labels = spec["TaskTemplate"], spec.get("Labels") or {}
    container = task["ContainerSpec"]
    for where in (labels, container.setdefault("Labels", {})):
        for label in ("com.docker.stack.namespace", "com.docker.stack.image"):
            where.pop(label, None)
    for kind in ("Secrets", "Configs"):
        container[kind] = sorted(file["File"]["Name"] for file in container.get(kind) or [])
    for mount in container.get("Mounts") or []:
        mount.get("VolumeOptions", {}).get("Labels", {}).pop("com.docker.stack.namespace", None)
    for part, name in (
        (task, "ForceUpdate"),
        (task, "Runtime"),
        (task["Placement"], "Platforms"),
        (container, "Isolation"),
    ):
        part.pop(name, None)
    networks = {network["Id"]: network["Name"].removeprefix(prefix) for network in swarm.networks()}
    task["Networks"] = sorted(
        (networks[one["Target"]], sorted({alias.removeprefix("live_") for alias in one.get("Aliases") or []}))
        for one in task["Networks"]
    )
    container.setdefault("Env", []).sort()
    container.setdefault("Mounts", []).sort(key=lambda mount: mount["Target"])
    container.pop("Privileges", None)  # Docker's own client says that there are none
    return {
        "mode": spec["Mode"],
        "task": task,
        "endpoint": spec["EndpointSpec"],
        "update": spec["UpdateConfig"],
        "rollback": spec["RollbackConfig"],
        "labels": labels,
    }


def test_a_compose_file_comes_up_stays_unchanged_and_leaves_as_the_same(
    recorded: Graph, swarmed: Made, swarm: docker.APIClient, tmp_path: Path
) -> None:
    state = made_of(recorded, swarmed)
    before = {name: template(swarm, converged(swarm, f"live_{name}"), "") for name in ("app", "agent")}
    (task,) = swarm.tasks({"service": "live_app", "desired-state": "running"})
    container = task["Status"]["ContainerStatus"]["ContainerID"]
    shown = swarm.exec_start(swarm.exec_create(container, ["/bin/cat", "/page"])["Id"]).decode()
    assert shown == "at $HOME"
    shown = swarm.exec_start(swarm.exec_create(container, ["/bin/sh", "-c", "echo $MODE $PRICE"])["Id"]).decode()
    assert shown == "on 5$\n"

    reading = services_of(state)
    assert reading.notes == ()
    file, lost = deployable(reading.file)
    assert [line.partition(":")[0] for line in lost] == [
        "services.live_app.group_add",
        "services.live_app.dns_opt",
        "services.live_app.volumes",
    ]
    path = tmp_path / "stack.yaml"
    path.write_text(write_compose(file))
    assert read_compose(path.read_text()).file == file
    assert base64.b64encode(b"secret of the test").decode() not in path.read_text()
    for name in ("app", "agent"):
        swarm.remove_service(f"live_{name}")
    words = ["docker", "-H", socket_of(swarm), "stack"]
    try:
        deploy = [*words, "deploy", "--resolve-image", "never", "-c", str(path), "back"]
        done = subprocess.run(deploy, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        after = {name: template(swarm, converged(swarm, f"back_live_{name}"), "back_") for name in ("app", "agent")}
        before["app"]["task"]["ContainerSpec"].pop("Groups")
        before["app"]["task"]["ContainerSpec"]["DNSConfig"].pop("Options")
        (memory,) = [m for m in before["app"]["task"]["ContainerSpec"]["Mounts"] if m["Type"] == "tmpfs"]
        memory["TmpfsOptions"].pop("Mode")
        assert after == before
    finally:
        subprocess.run([*words, "rm", "back"], capture_output=True, check=False)
        wait_for(
            "the stack's networks go",
            lambda: not swarm.networks(filters={"label": "com.docker.stack.namespace=back"}),
            DEADLINE_SECONDS,
        )
    swarmed._made[:] = [made for made in swarmed._made if made[0] != SERVICE]
