"""Bad settings of monitoring, one line of the table each: what the user wrote and the one line that he reads."""

from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import built_images, make_plan, published_ports

DIGEST = "@sha256:" + "0" * 64
RENTED = {
    "cloud": "aws",
    "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
    "registry": {"address": "registry.example.com"},
}


def stack(monitoring: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"services": {"web": None, "wordpress": None, "monitoring": monitoring}, **sections}


def alerts(**changes: Any) -> dict[str, Any]:
    return stack({"alerts": changes})


CASES: list[tuple[dict[str, Any], str]] = [
    (stack({"port": 0}), "services.monitoring.port is 0: use at least 1"),
    (
        stack({"port": 9093}),
        "services.monitoring.alerts.port is 9093/tcp: service monitoring publishes it already; publish another port with one of the two",
    ),
    (stack({"port": 8405}), "services.monitoring.port is 8405: HAProxy's own health port; use another port"),
    (
        stack({"memory": "lots"}),
        "services.monitoring.memory is 'lots': no size; write a number with a unit, such as 512m or 2g",
    ),
    (stack({"memory": "64m"}), "services.monitoring.memory is '64m': too little for Prometheus; use 256m or more"),
    (
        stack({"retention": "for ever"}),
        "services.monitoring.retention is 'for ever': no duration; write numbers with units, such as 10s, 1m30s or 2160h",
    ),
    (
        stack({"retention": "30m"}),
        "services.monitoring.retention is '30m': Prometheus writes blocks of two hours; use 2h or more",
    ),
    (
        stack({"retention_size": "many"}),
        "services.monitoring.retention_size is 'many': no size; write a number with a unit, such as 512m or 2g",
    ),
    (
        stack({"retention_size": "18g"}, **RENTED),
        "services.monitoring.retention_size is '18g': the volume of 20g would be full before the oldest samples go; use at most 16g, or give services.monitoring.size more",
    ),
    (
        stack({"interval": "1s"}),
        "services.monitoring.interval is '1s': every node would do little else than answer; use 5s or more",
    ),
    (
        stack({"interval": "5m"}),
        "services.monitoring.interval is '5m': graphs and alerts look at two minutes, and need two samples in them; use 1m or less",
    ),
    (
        stack({"data_node": "worker-9"}),
        "services.monitoring.data_node is 'worker-9': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-1, worker-2",
    ),
    (
        stack({}, nodes={"worker-1": {"availability": "drain"}}),
        "services.monitoring.data_node is 'worker-1': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-2",
    ),
    (
        stack({}, volumes={"monitoring": {"node": "worker-2"}}),
        "volumes.monitoring is {'node': 'worker-2'}: Prometheus has a volume of this name; use services.monitoring.data_node, size and profile, or another name",
    ),
    (
        stack({"external_url": "prometheus.example.com"}),
        "services.monitoring.external_url is 'prometheus.example.com': use a URL such as http://192.0.2.10:9090/",
    ),
    (
        stack({"grafana": {"memory": "1m"}}),
        "services.monitoring.grafana.memory is 1048576: bytes, and less than the 4 MiB that a task needs at least; use 4m or more, such as 256m",
    ),
    (
        stack({"grafana": {"port": 9090}}, images={"grafana": f"grafana/grafana{DIGEST}"}),
        "services.monitoring.grafana.port is 9090/tcp: service monitoring publishes it already; publish another port with one of the two",
    ),
    (
        stack({}, images={"grafana": "grafana/grafana:10.4.3"}),
        "images.grafana is 'grafana/grafana:10.4.3': name the image by digest: repository@sha256: and 64 hexadecimal digits",
    ),
    (
        stack({}, cloud="aws", ssh=RENTED["ssh"]),
        "registry.address is None: the nodes have no registry to pull alertmanager from, which services.monitoring runs; name a registry that holds the built images, or images.alertmanager by digest, or leave services.monitoring out (null)",
    ),
    (
        stack({}, workers={"count": 90}),
        "network.overlay_prefix is 24: the overlay of service monitoring has 253 usable addresses, but 377 tasks, 1 virtual addresses and 93 nodes need 471; use 23 or fewer tasks",
    ),
    (alerts(url=7), "services.monitoring.alerts.url is 7: use text"),
    (
        alerts(after="soon"),
        "services.monitoring.alerts.after is 'soon': no duration; write numbers with units, such as 10s, 1m30s or 2160h",
    ),
    (alerts(disk_free_percent=0), "services.monitoring.alerts.disk_free_percent is 0: use more than 0.0"),
    (alerts(disk_free_percent=100), "services.monitoring.alerts.disk_free_percent is 100: use less than 100.0"),
    (alerts(memory_percent=101), "services.monitoring.alerts.memory_percent is 101: use at most 100.0"),
    (
        alerts(raft_size="-1g"),
        "services.monitoring.alerts.raft_size is '-1g': no size; write a number with a unit, such as 512m or 2g",
    ),
    (alerts(raft_seconds=0), "services.monitoring.alerts.raft_seconds is 0: use more than 0.0"),
    (
        alerts(certificate_left_percent=80),
        "services.monitoring.alerts.certificate_left_percent is 80: use at most 50.0",
    ),
    (
        stack({"password": "mine"}),
        "services.monitoring.password is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
]


@pytest.mark.parametrize(("document", "message"), CASES, ids=[message[:60] for _, message in CASES])
def test_a_bad_setting_is_refused_in_one_line_that_names_field_value_and_fix(
    document: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        make_plan("dev", parse_settings(document))
    assert str(refused.value) == message


def test_monitoring_is_off_unless_a_stack_file_asks_for_it() -> None:
    settings = parse_settings({})
    assert settings.services.monitoring is None
    assert not {"prometheus", "exporter"} & set(built_images(settings))


def test_a_stack_with_monitoring_builds_its_images_and_the_proxy_and_publishes_two_ports() -> None:
    settings = parse_settings(stack({}))
    assert built_images(settings) == ("alertmanager", "exporter", "haproxy", "node-exporter", "prometheus")
    assert published_ports(settings) == {"monitoring": 9090, "monitoring.alerts": 9093}
    (volume,) = make_plan("monitoring", settings).volumes
    assert (volume.name, volume.node, volume.size_gib) == ("monitoring", "worker-1", 20)


def test_images_that_are_named_are_deployed_and_not_built() -> None:
    images = {name: f"registry.example.com/{name}{DIGEST}" for name in ("cadvisor", "grafana", "exporter")}
    settings = parse_settings(stack({}, images=images))
    assert built_images(settings) == ("alertmanager", "haproxy", "node-exporter", "prometheus")
    assert published_ports(settings)["monitoring.grafana"] == 3000


def test_alerts_that_nobody_is_told_of_are_a_warning() -> None:
    (warning,) = make_plan("monitoring", parse_settings(stack({}))).warnings
    assert warning == (
        "services.monitoring.alerts.url is not set: alerts are shown on the page, and nobody is told of them"
    )
    told = parse_settings(alerts(url="https://hooks.example/t0ken"))
    assert make_plan("monitoring", told).warnings == ()
    assert "t0ken" not in repr(told)


def test_a_password_that_goes_over_http_is_a_warning_on_a_rented_cloud() -> None:
    plan = make_plan("monitoring", parse_settings({**alerts(url="https://hooks.example/"), **RENTED}))
    (warning,) = [one for one in plan.warnings if "monitoring" in one]
    assert warning.startswith("services.monitoring.port is 9090: Prometheus and Alertmanager ask for a password")
