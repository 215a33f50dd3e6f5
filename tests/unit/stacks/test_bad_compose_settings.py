"""Bad settings of Compose files, and files that the stack's machines, ports, volumes and networks cannot hold: a line of
the table each, what the user wrote and the one line that he reads."""

from pathlib import Path
from typing import Any

import pytest

from stacks.errors import SettingsError
from tests.unit.stacks.test_composed import PINNED, plan, service

AWS: dict[str, Any] = {
    "cloud": "aws",
    "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
    "registry": {"address": "registry.example.com"},
    "volumes": {"archive": {"node": "worker-2"}},
}
CHOSEN = {"volumes": {"data": "archive"}}


def on_block_volume(deploy: str) -> str:
    return service(f"volumes: ['data:/d']\ndeploy: {{{deploy}}}", "volumes: {data: {}}")


REFUSALS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        service("volumes: ['data:/d']", "volumes: {data: {}}"),
        {},
        {},
        "service blog_a: volume is 'blog_data': a local volume stays on its node, but the tasks may run on others; pin the "
        "service with a constraint such as node.hostname == worker-1",
    ),
    (
        service("volumes: ['data:/d']", "volumes: {data: {}}"),
        {},
        {"volumes": {"data": "archive"}},
        "compose.blog.volumes.data is 'archive': the stack has no such volume; declare it under volumes, with the node that "
        "holds it (archive: {node: worker-1})",
    ),
    (
        service("deploy: {placement: {constraints: [node.labels.type == mvc]}}"),
        {},
        {},
        "service blog_a: constraints is ['node.labels.type == mvc']: no active node matches all of them; label a node so "
        "that it matches, or change the constraints",
    ),
    (
        service(f"volumes: ['data:/d']\n{PINNED}", "volumes: {data: {}}"),
        {"volumes": {"archive": {"node": "worker-2"}}},
        {"volumes": {"data": "archive"}},
        "service blog_a: constraints is ['node.hostname == worker-1', 'node.hostname == worker-2']: no active node matches "
        "all of them; label a node so that it matches, or change the constraints",
    ),
    (
        on_block_volume("replicas: 2"),
        AWS,
        CHOSEN,
        "service blog_a: replicas is 2: block volume archive is for one task; use 1",
    ),
    (
        on_block_volume("replicas: 0"),
        AWS,
        CHOSEN,
        "service blog_a: replicas is 0: block volume archive is for one task; use 1",
    ),
    (
        on_block_volume("mode: global"),
        AWS,
        CHOSEN,
        "service blog_a: mode is 'global': block volume archive is for one task; use replicated, with 1 replica",
    ),
    (
        on_block_volume("update_config: {order: start-first}"),
        AWS,
        CHOSEN,
        "service blog_a: update order is 'start-first': two tasks would have block volume archive at once; use stop-first",
    ),
    (
        on_block_volume("rollback_config: {order: start-first}"),
        AWS,
        CHOSEN,
        "service blog_a: rollback order is 'start-first': two tasks would have block volume archive at once; use stop-first",
    ),
    (
        on_block_volume("placement: {constraints: [node.labels.zone == us-east-1a]}"),
        AWS,
        CHOSEN,
        "service blog_a: constraints is ['node.labels.zone == us-east-1a', 'node.hostname == worker-2']: no active node "
        "matches all of them; label a node so that it matches, or change the constraints",
    ),
    (
        service(f"ports: {[f'{port}:80' for port in range(9000, 9056)]}"),
        {**AWS, "load_balancer": {"kind": "none"}},
        {},
        "compose is '58 published ports': the security group nodes would have 62 inbound rules, and AWS takes 60; publish at "
        "most 56",
    ),
    (
        service("networks: [n]", "networks: {n: {}}"),
        {
            **AWS,
            "volumes": {},
            "workers": {"count": 10, "pool": True},
            "aws": {"pool": {"maximum": 130}},
            "services": {"web": None, "wordpress": None},
        },
        {},
        "network.overlay_prefix is 24: overlay blog_n has 253 usable addresses, but 135 tasks, 1 virtual addresses and 133 "
        "nodes need 269; use 23 or fewer tasks",
    ),
    (
        service("deploy: {replicas: 3, resources: {reservations: {memory: 3g}}}"),
        {},
        {},
        "service blog_a: replicas is 3: the 5 nodes that match hold 0 tasks that reserve 3g each; use at most 0, reserve "
        "less, or give the nodes more",
    ),
    (
        service("deploy: {replicas: 400}"),
        {},
        {},
        "network.overlay_prefix is 24: overlay blog_default has 253 usable addresses, but 406 tasks, 1 virtual addresses and 5 nodes need "
        "412; use 23 or fewer tasks",
    ),
    (
        service("ports: ['8080:80']"),
        {},
        {},
        "service blog_a: published port is 8080/tcp: service web publishes it already; publish another port with one of the "
        "two",
    ),
    (
        service("ports: ['2377:80']"),
        {},
        {},
        "service blog_a: published port is 2377/tcp: nodes use it for swarm management; publish another port, such as 8080",
    ),
    (
        service("ports: ['8405:80']"),
        {},
        {},
        "service blog_a: published port is 8405: HAProxy's own health port; use another port",
    ),
    (
        service("ports: ['8404:80']"),
        {},
        {},
        "load_balancer.statistics_port is 8404: port of blog-a-8404 has this port on 127.0.0.1 already; use another port for "
        "one of the two",
    ),
    (
        service("networks: [n]", "networks: {n: {external: true}}"),
        {},
        {},
        "blog.yaml: networks.n is 'n': external, and no product or other Compose file of the stack has a network of this "
        "name; use one of web, wordpress",
    ),
    (
        service("networks: [n]", "networks: {n: {name: web}}"),
        {},
        {},
        "blog.yaml: networks.n.name is 'web': a product of the stack has a network of this name; use another name, or say "
        "external: true to join it",
    ),
    (
        service("privileged: true"),
        {},
        {},
        "blog.yaml: services.a.privileged is True: a swarm service has no such field; name what it needs as cap_add",
    ),
    (
        service("env_file: none.env"),
        {},
        {},
        "compose.blog: blog.yaml names is 'none.env': No such file or directory; name a text file that is there",
    ),
    (
        service(""),
        {},
        {"file": "no.yaml"},
        "compose.blog.file is 'no.yaml': No such file or directory; name a text file that is there",
    ),
    (service(""), {}, {"file": ""}, "compose.blog.file is '': use some text"),
    (
        service(""),
        {},
        {"colour": 1},
        "compose.blog.colour is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
    (
        service(""),
        {},
        {"images": {"i": "i:2"}},
        "compose.blog.images.i is 'i:2': name an image of the stack, or one by "
        "digest: repository@sha256: and 64 hexadecimal digits",
    ),
    (
        service(""),
        {},
        {"publish": {"a": 1}},
        "compose.blog.publish.a is 'a': name a service and its port, such as wordpress:80",
    ),
    (
        service(""),
        {},
        {"health_paths": {"a": "x"}},
        "compose.blog.health_paths.a is 'x': use a path that begins with /, such as /healthz",
    ),
    (
        service(""),
        {},
        {"memory": "much"},
        "compose.blog.memory is 'much': no size; write a number with a unit, such as 512m or 2g",
    ),
    (service(""), {}, {"cpus": 0}, "compose.blog.cpus is 0: use at least 0.001"),
]


@pytest.mark.parametrize(("text", "settings", "compose", "message"), REFUSALS, ids=[row[3][:60] for row in REFUSALS])
def test_what_cannot_be_is_refused_with_one_line_that_names_field_value_and_fix(
    text: str, settings: dict[str, Any], compose: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as refused:
        plan(tmp_path, text, settings, **compose)
    assert str(refused.value) == message
