"""The figures that the guides give for quotas, counted in the graphs of the stack files that they are about."""

import re
from functools import cache
from typing import Any

import pytest
import yaml

from components.plan.machine_types import EC2_TYPES, NOVA_FLAVORS
from components.plan.sizes import GIB
from stacks.load import PROJECT_FOLDER
from tests.graph.graph import Graph, Resource, record

Row = tuple[str, str, str]


@cache
def graph(stack: str) -> Graph:
    config: dict[str, Any] = yaml.safe_load((PROJECT_FOLDER / f"Pulumi.{stack}.yaml").read_text())["config"]
    settings = {key.removeprefix("flotilla:"): value for key, value in config.items() if key.startswith("flotilla:")}
    return record(settings, "applied")


def table(stack: str) -> list[Row]:
    """The rows of the guide's table of quotas: the quotas with their defaults, what counts, figures of the stack."""
    section = (PROJECT_FOLDER / "docs" / f"on-{stack}.md").read_text().partition("## Quotas")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [(cells[0].strip(), cells[1].strip(), cells[-1].strip()) for cells in lines[2:]]


def numbers(text: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d+(?:,\d{3})*", text)]


def openstack_figures(found: Graph) -> dict[str, list[int]]:
    """What the project of a stack uses of each quota of the guide's table, by the quotas' names."""
    servers = of(found, "compute/instance:Instance")
    flavors = [NOVA_FLAVORS[server.inputs["flavorName"]] for server in servers]
    groups = [hint["group"] for server in servers for hint in server.inputs.get("schedulerHints", [])]
    disks = [disk.inputs["size"] for disk in of(found, "blockstorage/volume:Volume")]
    roots = [
        device["volumeSize"]
        for server in servers
        for device in server.inputs.get("blockDevices", [])
        if device["destinationType"] == "volume"
    ]
    return {
        "instances": [len(servers)],
        "cores, RAM": [
            round(sum(flavor.cpus for flavor in flavors)),
            sum(flavor.memory_bytes for flavor in flavors) // GIB,
        ],
        "server groups, members of each": [
            len(of(found, "compute/serverGroup:ServerGroup")),
            max(groups.count(group) for group in groups),
        ],
        "ports": [len(of(found, "networking/port:Port"))],
        "security groups, rules": [
            len(of(found, "networking/secGroup:SecGroup")),
            len(of(found, "networking/secGroupRule:SecGroupRule")),
        ],
        "floating IPs": [len(of(found, "networking/floatingIp:FloatingIp"))],
        "networks, subnets, routers": [
            len(of(found, f"networking/{kind}")) for kind in ("network:Network", "subnet:Subnet", "router:Router")
        ],
        "volumes, gigabytes": [len(disks) + len(roots), sum(disks) + sum(roots)],
        "load balancers": [len(of(found, "loadbalancer/loadBalancer:LoadBalancer"))],
    }


def of(found: Graph, kind: str) -> list[Resource]:
    return found.of_type(f"openstack:{kind}")


def test_the_guide_of_openstack_says_what_its_stack_file_uses_of_each_quota() -> None:
    said = {re.sub(r" \([^)]*\)", "", quotas): numbers(figures) for quotas, _, figures in table("openstack")}
    assert said == openstack_figures(graph("openstack"))


@pytest.mark.parametrize(("quotas", "_", "figures"), table("openstack"), ids=[row[0] for row in table("openstack")])
def test_the_stack_file_of_openstack_fits_into_the_default_quotas(quotas: str, _: str, figures: str) -> None:
    defaults = [re.search(r"\((\d[\d,]*)", quota) for quota in quotas.split(", ")]
    for default, used in zip(defaults, numbers(figures), strict=True):
        assert default is None or used <= int(default[1].replace(",", ""))


def test_the_guide_of_aws_says_how_many_addresses_and_processors_its_stack_file_has() -> None:
    found = graph("aws")
    said = [numbers(text.partition("Pulumi.aws.yaml: ")[2]) for _, text, _ in table("aws") if "Pulumi.aws.yaml" in text]
    processors = sum(
        EC2_TYPES[machine.inputs["instanceType"]].cpus for machine in found.of_type("aws:ec2/instance:Instance")
    )
    assert said == [[len(found.of_type("aws:ec2/eip:Eip"))], [round(processors)]]
