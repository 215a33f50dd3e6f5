"""Bad settings, one line of the table each: what the user wrote and the one line that he reads."""

from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import make_plan

CASES: list[tuple[dict[str, Any], str]] = [
    ({"cloud": "azure"}, "cloud is 'azure': use 'local', 'aws' or 'openstack'"),
    ({"protect": "yes please"}, "protect is 'yes please': use true or false"),
    (
        {"colour": "blue"},
        "colour is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
    ({"network": 5}, "network is 5: use a mapping of settings"),
    (
        {"network": {"machines": "10.60.0.0"}},
        "network.machines is '10.60.0.0': no prefix length; write one, such as 10.60.0.0/24",
    ),
    (
        {"network": {"machines": "10.60.0.1/24"}},
        "network.machines is '10.60.0.1/24': not a network's own address; use 10.60.0.0/24",
    ),
    (
        {"network": {"machines": "banana"}},
        "network.machines is 'banana': no IPv4 network; write address and prefix, such as 10.60.0.0/24",
    ),
    (
        {"network": {"machines": "10.60.0.0/27"}},
        "network.machines is '10.60.0.0/27': no room for worker-2, which has the host number 52; use 10.60.0.0/26 or fewer nodes",
    ),
    (
        {"network": {"machines": "127.0.0.0/24"}},
        "network.machines is '127.0.0.0/24': overlaps 127.0.0.0/8, kept for loopback; use a part of 10.0.0.0/8",
    ),
    (
        {"network": {"machines": "10.130.0.0/24"}},
        "network.overlays is '10.128.0.0/12': overlaps network.machines (10.130.0.0/24); move one of them, for instance network.overlays to 10.64.0.0/12",
    ),
    (
        {"network": {"bridges": "10.60.0.0/16"}},
        "network.bridges is '10.60.0.0/16': overlaps network.machines (10.60.0.0/24); move one of them, for instance network.bridges to 10.64.0.0/16",
    ),
    ({"network": {"overlay_prefix": 30}}, "network.overlay_prefix is 30: use at most 29"),
    ({"network": {"overlay_prefix": 13}}, "network.overlay_prefix is 13: use at least 16"),
    ({"network": {"mtu": 900}}, "network.mtu is 900: use at least 1280"),
    ({"network": {"mtu": "big"}}, "network.mtu is 'big': use a whole number"),
    ({"network": {"publish_mode": "vip"}}, "network.publish_mode is 'vip': use 'host' or 'ingress'"),
    (
        {"network": {"gateway": "x"}},
        "network.gateway is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
    (
        {"managers": {"count": 2}},
        "managers.count is 2: a swarm of 2 managers tolerates no loss (majority 2); use 1, 3, 5 or 7",
    ),
    ({"managers": {"count": 0}}, "managers.count is 0: a swarm has at least one manager; use 1, 3, 5 or 7"),
    (
        {"managers": {"count": 4}},
        "managers.count is 4: a swarm of 4 managers tolerates the loss of 1, no more than 3 do (majority 3); use 1, 3, 5 or 7",
    ),
    (
        {"managers": {"count": 11}},
        "managers.count is 11: more than 9 managers make every change slower and nothing safer; use 1, 3, 5 or 7",
    ),
    ({"managers": {"count": "three"}}, "managers.count is 'three': use a whole number"),
    ({"managers": {"count": 2.5}}, "managers.count is 2.5: use a whole number"),
    ({"managers": {"cpus": 0}}, "managers.cpus is 0: use at least 0.1"),
    (
        {"managers": {"memory": "lots"}},
        "managers.memory is 'lots': no size; write a number with a unit, such as 512m or 2g",
    ),
    (
        {"managers": {"memory": "64m"}},
        "managers.memory is '64m': too little for a node with its Docker engine; use 512m or more",
    ),
    ({"managers": {"memory": 512}}, "managers.memory is 512: use text"),
    ({"workers": {"count": -1}}, "workers.count is -1: use at least 0"),
    ({"workers": {"count": 5000}}, "workers.count is 5000: more machines than one computer holds; use at most 1000"),
    (
        {"workers": {"count": 300}},
        "network.machines is '10.60.0.0/24': no room for worker-300, which has the host number 350; use 10.60.0.0/23 or fewer nodes",
    ),
    (
        {"workers": {"labels": {"zone": "a"}}},
        "workers.labels is 'zone': every node gets it by itself; use another name",
    ),
    ({"workers": {"labels": ["a"]}}, "workers.labels is ['a']: use a mapping of settings"),
    (
        {"workers": {"labels": {"bad label": "x"}}},
        "workers.labels is 'bad label': no name of a label; use letters, digits and . _ / -",
    ),
    ({"nodes": {"boss": {}}}, "nodes.boss is 'boss': use a node's name, such as manager-1 or worker-2"),
    (
        {"nodes": {"worker-9": {"availability": "drain"}}},
        "nodes.worker-9 is {'availability': 'drain'}: the stack has no such node; use one of manager-1, manager-2, manager-3, worker-1, worker-2",
    ),
    (
        {"nodes": {"worker-1": {"availability": "gone"}}},
        "nodes.worker-1.availability is 'gone': use 'active', 'pause' or 'drain'",
    ),
    ({"swarm": {"data_path_port": 80}}, "swarm.data_path_port is 80: use at least 1024"),
    ({"swarm": {"data_path_port": 7946}}, "swarm.data_path_port is 7946: the port of swarm's gossip; use 4789"),
    (
        {"swarm": {"certificate_expiry": "90 days"}},
        "swarm.certificate_expiry is '90 days': no duration; write numbers with units, such as 10s, 1m30s or 2160h",
    ),
    ({"swarm": {"task_history_limit": -1}}, "swarm.task_history_limit is -1: use at least 0"),
    ({"swarm": {"snapshot_interval": 1}}, "swarm.snapshot_interval is 1: use at least 100"),
    ({"swarm": {"autolock": "perhaps"}}, "swarm.autolock is 'perhaps': use true or false"),
    ({"ssh": {"first_port": 80}}, "ssh.first_port is 80: use at least 1024"),
    ({"ssh": {"identity_file": 5}}, "ssh.identity_file is 5: use text"),
    (
        {"local": {"docker_host": "/var/run/docker.sock"}},
        "local.docker_host is '/var/run/docker.sock': use unix:///path, tcp://address:port or ssh://user@address",
    ),
    ({"services": {"web": {"replicas": -1}}}, "services.web.replicas is -1: use at least 0"),
    ({"services": {"web": {"port": 0}}}, "services.web.port is 0: use at least 1"),
    (
        {"services": {"web": {"port": 2377}}},
        "services.web.port is 2377/tcp: nodes use it for swarm management; publish another port, such as 8080",
    ),
    (
        {"services": {"web": {"port": 8081}}},
        "services.wordpress.port is 8081/tcp: service web publishes it already; publish another port with one of the two",
    ),
    (
        {"services": {"web": {"port": 8404}}},
        "load_balancer.statistics_port is 8404: services.web.port has this port on 127.0.0.1 already; use another port for one of the two",
    ),
    ({"services": {"web": {"port": 8405}}}, "services.web.port is 8405: HAProxy's own health port; use another port"),
    (
        {"services": {"web": {"port": 2211}}},
        "ssh.first_port: port of manager-1 is 2211: services.web.port has this port on 127.0.0.1 already; use another port for one of the two",
    ),
    (
        {"services": {"web": {"memory": "1m"}}},
        "services.web.memory is 1048576: bytes, and less than the 4 MiB that a task needs at least; use 4m or more, such as 256m",
    ),
    (
        {"services": {"web": {"memory": "1024"}}},
        "services.web.memory is 1024: bytes, and less than the 4 MiB that a task needs at least; write the unit, such as 1024m",
    ),
    (
        {"services": {"mysql": {}}},
        "services.mysql is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
    ({"services": {"web": "yes"}}, "services.web is 'yes': use a mapping of settings"),
    (
        {"services": {"wordpress": {"database_node": "worker-7"}}},
        "services.wordpress.database_node is 'worker-7': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-1, worker-2",
    ),
    (
        {"services": {"wordpress": {"database_node": "db"}}},
        "services.wordpress.database_node is 'db': use a node's name, such as manager-1 or worker-2",
    ),
    ({"services": {"wordpress": {"title": ""}}}, "services.wordpress.title is '': use some text"),
    (
        {"workers": {"count": 0}},
        "services.wordpress.database_node is 'worker-1': the stack has no such active node; use one of manager-1, manager-2, manager-3",
    ),
    (
        {"nodes": {"worker-1": {"availability": "drain"}}},
        "services.wordpress.database_node is 'worker-1': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-2",
    ),
    (
        {"services": {"web": {"replicas": 400}}},
        "network.overlay_prefix is 24: the overlay of service web has 253 usable addresses, but 406 tasks, 1 virtual addresses and 5 nodes need 412; use 23 or fewer tasks",
    ),
    ({"load_balancer": {"statistics_port": 70000}}, "load_balancer.statistics_port is 70000: use at most 65535"),
    (
        {"load_balancer": {"address": "everywhere"}},
        "load_balancer.address is 'everywhere': use an IPv4 address, such as 127.0.0.1",
    ),
    (
        {"images": {"nginx": "nginx:latest"}},
        "images.nginx is 'nginx:latest': name the image by digest: repository@sha256: and 64 hexadecimal digits",
    ),
    ({"images": ["nginx"]}, "images is ['nginx']: use a mapping of settings"),
]


@pytest.mark.parametrize(("settings", "message"), CASES, ids=[message[:60] for _, message in CASES])
def test_a_bad_setting_is_refused_with_one_line_that_names_field_value_and_fix(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        make_plan("dev", parse_settings(settings))
    assert str(refusal.value) == message
    assert "\n" not in message


def test_there_are_at_least_forty_cases_and_no_case_twice() -> None:
    assert len(CASES) >= 40
    assert len({message for _, message in CASES}) >= len(CASES) - 2


def test_two_faults_are_two_lines() -> None:
    with pytest.raises(SettingsError) as refusal:
        parse_settings({"cloud": "azure", "network": {"mtu": 1}})
    assert str(refusal.value).splitlines() == [
        "cloud is 'azure': use 'local', 'aws' or 'openstack'",
        "network.mtu is 1: use at least 1280",
    ]


def test_the_defaults_are_a_plan_without_warnings() -> None:
    plan = make_plan("dev", parse_settings({}))
    assert [spec.name for spec in plan.specs] == ["manager-1", "manager-2", "manager-3", "worker-1", "worker-2"]
    assert plan.warnings == ()


def test_nine_managers_are_accepted_with_a_warning() -> None:
    assert "9" in make_plan("dev", parse_settings({"managers": {"count": 9}})).warnings[0]
