"""Bad settings of the management page, one line of the table each: what the user wrote and the one line that he reads;
and what good ones come to."""

from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import built_images, make_plan, published_ports
from stacks.settings import Settings

IMAGE = "portainer/portainer-ce@sha256:" + "1" * 64
PORTAINER = {"images": {"portainer": IMAGE}}


def stack(ui: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"services": {"web": None, "wordpress": None, "ui": ui}, **sections}


CASES: list[tuple[dict[str, Any], str]] = [
    (stack({"port": 0}), "services.ui.port is 0: use at least 1"),
    (
        stack({"replicas": 2}),
        "services.ui.replicas is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
    (stack({"access": "admin"}), "services.ui.access is 'admin': use 'read' or 'write'"),
    (
        stack({"access": "write"}),
        "services.ui.access is 'write': the page built here only reads; leave it out, or name images.portainer by digest",
    ),
    (
        stack({"memory": "lots"}),
        "services.ui.memory is 'lots': no size; write a number with a unit, such as 512m or 2g",
    ),
    (stack({"memory": "32m"}), "services.ui.memory is '32m': too little for the page; use 48m or more"),
    (
        stack({"memory": "64m"}, **PORTAINER),
        "services.ui.memory is '64m': too little for Portainer; use 128m or more",
    ),
    (
        stack({"node": "worker-9"}),
        "services.ui.node is 'worker-9': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-1, worker-2",
    ),
    (
        stack({"node": "the first"}),
        "services.ui.node is 'the first': use a node's name, such as manager-1 or worker-2",
    ),
    (
        stack({"node": "worker-1"}, nodes={"worker-1": {"availability": "drain"}}),
        "services.ui.node is 'worker-1': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-2",
    ),
    (
        stack({}, workers={"count": 0}, **PORTAINER),
        "services.ui.node is 'worker-1': the stack has no such active node; use one of manager-1, manager-2, manager-3",
    ),
    (
        stack({"node": "worker-2"}, volumes={"ui": {"node": "worker-1"}}, **PORTAINER),
        "services.ui.node is 'worker-2': volumes.ui.node is worker-1; leave it out",
    ),
    (
        stack({}, images={"portainer": "portainer/portainer-ce:latest"}),
        "images.portainer is 'portainer/portainer-ce:latest': name the image by digest: repository@sha256: and 64 hexadecimal digits",
    ),
    (
        {"services": {"web": {"port": 9000}, "wordpress": None, "ui": {}}},
        "services.ui.port is 9000/tcp: service web publishes it already; publish another port with one of the two",
    ),
    (
        stack({"port": 8404}),
        "load_balancer.statistics_port is 8404: services.ui.port has this port on 127.0.0.1 already; use another port for one of the two",
    ),
    (
        stack({}, cloud="aws", ssh={"admin_networks": ["203.0.113.0/24"]}),
        "registry.address is None: the nodes have no registry to pull ui from, which services.ui runs; name a registry that holds the built images, or images.ui by digest, or leave services.ui out (null)",
    ),
]


@pytest.mark.parametrize(("raw", "message"), CASES, ids=[message for _, message in CASES])
def test_a_bad_setting_is_refused_in_one_line(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        make_plan("test", parse_settings(raw))
    assert str(refused.value) == message


def settings(ui: dict[str, Any], **sections: Any) -> Settings:
    return parse_settings(stack(ui, **sections))


def test_the_page_built_here_needs_its_image_and_no_volume() -> None:
    found = settings({})
    assert built_images(found) == ("haproxy", "ui")
    assert published_ports(found) == {"ui": 9000}
    assert make_plan("test", found).volumes == ()


@pytest.mark.parametrize(
    ("ui", "sections", "volume"),
    [
        ({}, {}, ("worker-1", 10)),
        ({"node": "manager-1"}, {}, ("manager-1", 10)),
        ({}, {"volumes": {"ui": {"node": "worker-2", "size": "20g"}}}, ("worker-2", 20)),
        ({"node": "worker-2"}, {"volumes": {"ui": {"node": "worker-2", "size": "20g"}}}, ("worker-2", 20)),
    ],
)
def test_portainer_has_a_volume_where_it_runs_and_nothing_is_built_for_it(
    ui: dict[str, Any], sections: dict[str, Any], volume: tuple[str, int]
) -> None:
    found = settings(ui, **PORTAINER, **sections)
    assert built_images(found) == ("haproxy",)
    (planned,) = make_plan("test", found).volumes
    assert (planned.name, planned.node, planned.size_gib) == ("ui", *volume)


def test_who_may_do_too_much_is_told_so() -> None:
    (warning,) = make_plan("test", settings({"access": "write"}, **PORTAINER)).warnings
    assert warning.startswith("services.ui.access is write: whoever has Portainer's password can start anything")
    assert make_plan("test", settings({}, **PORTAINER)).warnings == ()
    rented = settings(
        {}, cloud="aws", ssh={"admin_networks": ["203.0.113.0/24"]}, registry={"address": "registry.example.com"}
    )
    assert any(
        line.startswith("services.ui.port is 9000: the password goes there without TLS")
        for line in make_plan("test", rented).warnings
    )
