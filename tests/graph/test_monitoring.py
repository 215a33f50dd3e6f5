"""What the graph of a stack with monitoring says: who may reach the engines, what is read-only, where the password is,
and what a change of the settings changes."""

import base64
import json
import re
from functools import cache
from typing import Any

import pytest
import yaml

from tests.graph.graph import Graph, Resource, record

pytestmark = pytest.mark.xdist_group("graph monitoring")

SERVICE = "docker:index/service:Service"
SOCKET = "/var/run/docker.sock"
UPSTREAM = {name: f"registry.example.com/{name}@sha256:" + "1" * 64 for name in ("cadvisor", "grafana")}


@cache
def recorded(monitoring: str, images: str, publish: str, mode: str) -> Graph:
    services = {"web": None, "wordpress": None, "monitoring": json.loads(monitoring)}
    settings = {"services": services, "images": json.loads(images), "network": {"publish_mode": publish}}
    return record(settings, mode)


def graph(
    monitoring: dict[str, Any] | None = None,
    images: dict[str, str] | None = None,
    publish: str = "host",
    mode: str = "applied",
) -> Graph:
    return recorded(json.dumps(monitoring or {}), json.dumps(images or {}), publish, mode)


def services(found: Graph) -> dict[str, Resource]:
    return {resource.inputs["name"]: resource for resource in found.of_type(SERVICE)}


def container(found: Graph, name: str) -> dict[str, Any]:
    return services(found)[name].inputs["taskSpec"]["containerSpec"]


def networks(found: Graph, name: str) -> list[str]:
    """Ids of a service's overlays."""
    return [one["id"] for one in services(found)[name].inputs["taskSpec"]["networksAdvanceds"]]


def config(found: Graph, name: str) -> str:
    return base64.b64decode(found.named(f"monitoring-{name}").inputs["data"]).decode()


def mounted(found: Graph, name: str) -> list[dict[str, Any]]:
    return container(found, name).get("mounts", [])


def test_prometheus_has_no_socket_and_asks_a_proxy_that_reads_alone() -> None:
    found = graph()
    assert [mount["type"] for mount in mounted(found, "monitoring-prometheus")] == ["volume"]
    document = yaml.safe_load(config(found, "prometheus-configuration"))
    hosts = {
        discovery["host"] for job in document["scrape_configs"] for discovery in job.get("dockerswarm_sd_configs", [])
    }
    assert hosts == {"tcp://monitoring-sockets:2375"}
    filtered = config(found, "sockets-haproxy-configuration")
    assert "method GET HEAD" in filtered
    assert "deny" in filtered


def test_nobody_without_a_question_to_a_manager_is_on_the_network_of_the_proxy() -> None:
    found = graph(images=UPSTREAM)
    (of_the_proxy,) = networks(found, "monitoring-sockets")
    on_it = [name for name in services(found) if of_the_proxy in networks(found, name)]
    assert sorted(on_it) == ["monitoring-prometheus", "monitoring-sockets", "monitoring-swarm-exporter"]
    assert found.named("monitoring-sockets-overlay-network").inputs["internal"]


def test_who_has_a_socket_has_nothing_else_of_root() -> None:
    found = graph()
    owners = [name for name in services(found) if SOCKET in [mount["source"] for mount in mounted(found, name)]]
    assert sorted(owners) == ["monitoring-engine-exporter", "monitoring-sockets"]
    for name in owners:
        own = container(found, name)
        assert own["capDrops"] == ["ALL"], name
        assert own["readOnly"], name


@pytest.mark.parametrize("images", [{}, UPSTREAM])
def test_what_is_mounted_of_a_node_is_read_only(images: dict[str, str]) -> None:
    found = graph(images=images)
    binds = [(name, m) for name in services(found) for m in mounted(found, name) if m["type"] == "bind"]
    assert len(binds) >= 7
    assert [(name, mount["source"]) for name, mount in binds if not mount.get("readOnly")] == []


def test_the_node_exporter_sees_the_machine_and_what_is_mounted_there_later() -> None:
    """The chapter's tells of its own container (E14)."""
    found = graph()
    binds = {mount["source"]: mount for mount in mounted(found, "monitoring-node-exporter")}
    assert set(binds) == {"/proc", "/sys", "/"}
    assert binds["/"]["bindOptions"] == {"propagation": "rslave"}
    assert services(found)["monitoring-node-exporter"].inputs["mode"] == {"global": True}


def test_exporters_are_on_every_node_and_publish_nothing() -> None:
    """The chapter publishes 8080 and 9100 of every node (M137, M139), to whoever comes by."""
    found = graph(images=UPSTREAM, publish="ingress")
    exporters = ("monitoring-node-exporter", "monitoring-engine-exporter", "monitoring-cadvisor")
    for name in exporters:
        assert services(found)[name].inputs["mode"] == {"global": True}
        assert "ports" not in services(found)[name].inputs["endpointSpec"]
    published = {
        port["publishedPort"]
        for name, service in services(found).items()
        if name.startswith("monitoring-")
        for port in service.inputs["endpointSpec"].get("ports", [])
    }
    assert published == {9090, 9093, 3000}


def test_every_exporter_asks_to_be_measured_by_labels_of_its_service() -> None:
    found = graph(images=UPSTREAM)
    asked = {
        name: {label["label"]: label["value"] for label in service.inputs.get("labels", [])}
        for name, service in services(found).items()
    }
    assert {name: labels for name, labels in asked.items() if labels} == {
        "monitoring-node-exporter": {"prometheus.job": "node", "prometheus.port": "9100"},
        "monitoring-engine-exporter": {"prometheus.job": "machine", "prometheus.port": "9101"},
        "monitoring-cadvisor": {"prometheus.job": "containers", "prometheus.port": "8080"},
    }


def test_an_engine_gives_its_metrics_where_its_exporter_asks_for_them() -> None:
    found = graph()
    machines = [str(machine.inputs) for machine in found.of_type("docker:index/container:Container")]
    given = {address for text in machines for address in re.findall(r'"metrics-addr": "([^"]+)"', text)}
    asked = container(found, "monitoring-engine-exporter")["env"]["ENGINE_METRICS"]
    assert given == {asked} == {"172.30.0.1:9323"}


def test_with_cadvisor_our_exporter_has_no_socket_and_counts_no_containers() -> None:
    found = graph(images=UPSTREAM)
    assert "DOCKER_HOST" not in container(found, "monitoring-engine-exporter")["env"]
    assert SOCKET not in [mount["source"] for mount in mounted(found, "monitoring-engine-exporter")]
    assert {mount["source"] for mount in mounted(found, "monitoring-cadvisor")} >= {"/", "/var/run", "/var/lib/docker"}
    assert container(found, "monitoring-cadvisor")["image"] == UPSTREAM["cadvisor"]
    assert "monitoring-cadvisor" not in services(graph())


def test_grafana_is_there_with_data_source_dashboard_and_password_by_files() -> None:
    """The chapter adds the data source by hand, and has the password in the environment (M140)."""
    found = graph(images=UPSTREAM)
    own = container(found, "monitoring-grafana")
    assert own["image"] == UPSTREAM["grafana"]
    assert own["env"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/password"
    assert [secret["fileName"] for secret in own["secrets"]] == ["/run/secrets/password"]
    assert sorted(file["fileName"] for file in own["configs"]) == [
        "/etc/flotilla/dashboards/swarm.json",
        "/etc/grafana/provisioning/dashboards/flotilla.yaml",
        "/etc/grafana/provisioning/datasources/prometheus.yaml",
    ]
    assert "monitoring-grafana" not in services(graph())


def test_every_page_is_behind_the_proxy_and_alive_by_a_connection_or_a_path_that_needs_no_password() -> None:
    found = graph(images=UPSTREAM)
    edge = base64.b64decode(found.named("edge-haproxy-configuration").inputs["data"]).decode()
    assert re.findall(r"bind :(3000|9090|9093)\n", edge) == ["9093", "3000", "9090"]
    assert re.findall(r"httpchk GET (\S+)", edge) == ["/api/health"]


def test_silences_and_samples_stay_on_the_node_of_the_volume() -> None:
    found = graph({"data_node": "worker-2"}, images=UPSTREAM)
    for name in ("prometheus", "alertmanager", "grafana"):
        own = services(found)[f"monitoring-{name}"].inputs
        assert own["taskSpec"]["placement"]["constraints"] == ["node.hostname == worker-2"], name
        assert [mount["type"] for mount in own["taskSpec"]["containerSpec"]["mounts"]] == ["volume"]
        # Two of them would write to one volume.
        assert own["updateConfig"]["order"] == "stop-first"


def test_prometheus_forgets_by_time_and_by_size() -> None:
    env = container(graph({"retention": "48h", "retention_size": "2g"}), "monitoring-prometheus")["env"]
    assert env["RETENTION_TIME"] == "48h"
    assert env["RETENTION_SIZE"] == f"{2 * 2**30}B"


def test_another_limit_changes_the_rules_and_their_reader_alone() -> None:
    before, after = graph(), graph({"alerts": {"disk_free_percent": 25}})
    assert set(before.by_urn) == set(after.by_urn)
    changed = [r.name for r in after.resources if r.inputs != before.by_urn[r.urn].inputs]
    assert changed == ["monitoring-prometheus-rules"]
    assert "< 25 " in config(after, "prometheus-rules")


def test_the_url_of_the_receiver_is_a_secret_and_nowhere_else() -> None:
    found = graph({"alerts": {"url": "https://hooks.example/t0ken"}})
    holders = [r.name for r in found.resources if encoded_in("t0ken", r.inputs)]
    assert holders == ["monitoring-alertmanager-receivers"]


def encoded_in(text: str, value: Any) -> bool:
    """Whether a text stands in a value, as it is or in base64."""
    if isinstance(value, str):
        try:
            plain = base64.b64decode(value, validate=True).decode()
        except ValueError:
            plain = ""
        return text in value or text in plain
    if isinstance(value, dict):
        return any(encoded_in(text, item) for item in value.values())
    return isinstance(value, list) and any(encoded_in(text, item) for item in value)


def test_who_looks_at_the_stack_finds_the_page_and_the_user_and_the_password_is_a_secret() -> None:
    found = graph()
    (outputs,) = [outputs for urn, outputs in found.outputs.items() if "::pulumi:pulumi:Stack::" in urn]
    assert outputs["monitoring"] == {"user": "flotilla", "page": "/consoles/swarm.html"}
    assert outputs["monitoring_password"]["value"].startswith("sentinel-secret")


def test_a_service_of_a_compose_file_joins_the_overlay_and_asks_to_be_measured() -> None:
    shop = {"file": "examples/compose/measured.yaml", "images": {"haproxy:2.6": "haproxy"}}
    found = record(
        {"services": {"web": None, "wordpress": None, "monitoring": {}}, "compose": {"shop": shop}}, "applied"
    )
    assert networks(found, "shop_shop") == networks(found, "monitoring-node-exporter")
    labels = {label["label"]: label["value"] for label in services(found)["shop_shop"].inputs["labels"]}
    assert {"prometheus.job": "shop", "prometheus.port": "8404"}.items() <= labels.items()


def test_links_in_alerts_lead_where_users_find_prometheus() -> None:
    env = container(graph({"external_url": "https://prometheus.example/"}), "monitoring-prometheus")["env"]
    assert env["EXTERNAL_URL"] == "https://prometheus.example/"
    assert "EXTERNAL_URL" not in container(graph(), "monitoring-prometheus")["env"]
