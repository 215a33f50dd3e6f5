"""What a stack looks like now: its nodes, its services and how to reach them, asked of the swarm itself."""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import docker
import docker.errors
from rich.console import Console
from rich.table import Table

from plugins.swarm.ssh import SshError, connect_docker
from stacks.errors import SettingsError
from stacks.outputs import Node, StackError, nodes, read_outputs
from stacks.preflight import identity_file

_WIDTH = 110


def main() -> int:
    """Print the tables; an error is one line."""
    parser = argparse.ArgumentParser(prog="stacks.status", description=__doc__)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--engine", default="bin/hermetic")
    parser.add_argument("--identity", help="private key; that of the stack's settings unless said")
    arguments = parser.parse_args()
    try:
        outputs = read_outputs(arguments.engine, arguments.stack)
        show(Console(width=_WIDTH), outputs, arguments.identity or identity_file(arguments.stack))
    except (StackError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def show(console: Console, outputs: Mapping[str, Any], identity_file: str) -> None:
    """Nodes and services as the first manager that answers tells them, then URLs and the way in."""
    machines = nodes(dict(outputs))
    swarm_nodes, services, tasks = _ask(machines, identity_file)
    console.print(_node_table(machines, swarm_nodes))
    console.print(_service_table(services, tasks))
    for name, url in sorted(outputs.get("urls", {}).items()):
        console.print(f"{name:>12}  {url}", highlight=False)
    console.print("       shell  make ssh NODE=manager-1   (then: docker node ls, docker service ls)", highlight=False)


def _ask(machines: list[Node], identity_file: str) -> tuple[list[Any], list[Any], list[Any]]:
    failures: list[str] = []
    for node in machines:
        if node.role != "manager":
            continue
        try:
            with connect_docker(node.url, node.ssh_options(identity_file)) as tunnel:
                return tunnel.client.nodes(), tunnel.client.services(), tunnel.client.tasks()
        except (SshError, docker.errors.DockerException) as error:
            failures.append(f"{node.name}: {error}")
    raise StackError("no manager answers: " + "; ".join(failures))


def _node_table(machines: list[Node], swarm_nodes: list[Any]) -> Table:
    table = Table("node", "role", "state", "availability", "manager status", "address")
    by_name = {node["Description"]["Hostname"]: node for node in swarm_nodes}
    for machine in machines:
        node = by_name.get(machine.name, {})
        manager: dict[str, Any] = node.get("ManagerStatus", {})
        status = "leader" if manager.get("Leader") else manager.get("Reachability", "")
        table.add_row(
            machine.name,
            machine.role,
            node.get("Status", {}).get("State", "not in the swarm"),
            node.get("Spec", {}).get("Availability", ""),
            status,
            machine.private_address,
        )
    return table


def _service_table(services: list[Any], tasks: list[Any]) -> Table:
    table = Table("service", "mode", "replicas", "image")
    for service in sorted(services, key=lambda item: item["Spec"]["Name"]):
        own = [task for task in tasks if task["ServiceID"] == service["ID"] and task["DesiredState"] == "running"]
        running = sum(task["Status"]["State"] == "running" for task in own)
        replicated = service["Spec"]["Mode"].get("Replicated")
        wanted = replicated["Replicas"] if replicated else len(own)
        image = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"].partition("@")[0].rpartition("/")[2]
        mode = "replicated" if replicated else "global"
        table.add_row(service["Spec"]["Name"], mode, f"{running}/{wanted}", image)
    return table


if __name__ == "__main__":
    sys.exit(main())
