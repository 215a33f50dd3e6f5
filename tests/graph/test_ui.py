"""What the graph of a stack with a management page says: the socket is behind a proxy whoever the page is, the password
is a file, and the same settings drive Portainer and the page built here."""

import base64
import json
import re
from functools import cache
from typing import Any

import pytest

from stacks.load import parse_settings
from stacks.products.ui.plan import UiProduct
from tests.graph.graph import Graph, record

pytestmark = pytest.mark.xdist_group("graph ui")

PORTAINER = "portainer/portainer-ce@sha256:" + "1" * 64
MIB = 2**20
both = pytest.mark.parametrize("portainer", [False, True], ids=["page", "portainer"])


def settings(ui: dict[str, Any], *, portainer: bool, **sections: Any) -> dict[str, Any]:
    images = {"images": {"portainer": PORTAINER}} if portainer else {}
    return {"services": {"web": {}, "wordpress": None, "ui": ui}, **images, **sections}


@cache
def recorded(text: str) -> Graph:
    return record(json.loads(text), "applied")


def graph(ui: dict[str, Any] | None = None, *, portainer: bool = False, **sections: Any) -> Graph:
    return recorded(json.dumps(settings(ui or {}, portainer=portainer, **sections)))


def task(found: Graph, name: str) -> dict[str, Any]:
    return found.named(f"{name}-service").inputs["taskSpec"]


def configuration(found: Graph) -> str:
    data = found.named("ui-proxy-haproxy-configuration").inputs["data"]
    return base64.b64decode(data).decode()


@both
def test_nobody_but_the_proxy_has_the_socket(portainer: bool) -> None:
    found = graph(portainer=portainer)
    mounts = {
        service.name: [(mount["source"], mount["target"], mount.get("readOnly")) for mount in mounted]
        for service in found.of_type("docker:index/service:Service")
        if (mounted := service.inputs["taskSpec"]["containerSpec"].get("mounts"))
    }
    socket = ("/var/run/docker.sock", "/var/run/docker.sock", True)
    volume = {"ui-page-service": [("ui", "/data", None)]} if portainer else {}
    assert mounts == {"ui-proxy-haproxy-service": [socket], **volume}


@both
def test_the_proxy_is_on_a_manager_and_has_nothing_but_roots_name(portainer: bool) -> None:
    found = task(graph(portainer=portainer), "ui-proxy-haproxy")
    assert found["placement"]["constraints"] == ["node.role == manager"]
    container = found["containerSpec"]
    assert (container["user"], container["capDrops"], container["readOnly"]) == ("0:0", ["ALL"], True)
    assert container["healthcheck"]["tests"][-1] == "http://127.0.0.1:2375/_ping"


@both
def test_only_the_page_is_on_the_overlay_of_the_proxy_and_it_leads_nowhere(portainer: bool) -> None:
    found = graph(portainer=portainer)
    network = found.named("ui-proxy-overlay-network")
    assert (network.inputs["internal"], network.inputs.get("attachable")) == (True, None)
    on_it = [
        service.name
        for service in found.of_type("docker:index/service:Service")
        if "ui-proxy-overlay-network-id" in [one["id"] for one in service.inputs["taskSpec"]["networksAdvanceds"]]
    ]
    assert sorted(on_it) == ["ui-page-service", "ui-proxy-haproxy-service"]


def allowed(found: Graph, path: str) -> bool:
    return any(re.search(one, path) for one in re.findall(r"acl allowed path_reg '(.+)'", configuration(found)))


def test_the_page_may_ask_for_what_it_shows_and_nothing_else() -> None:
    found = graph()
    expressions = re.findall(r"acl allowed path_reg '\^\(/v\[0-9\]\+\\\.\[0-9\]\+\)\?(.+)\$'", configuration(found))
    assert expressions == ["/_ping", "/networks", "/nodes", "/services", "/tasks"]
    assert "method GET HEAD\n" in configuration(found)


def test_portainer_reads_unless_the_settings_say_that_it_writes() -> None:
    reads, writes = graph(portainer=True), graph({"access": "write"}, portainer=True)
    for path in ("/v1.41/info", "/v1.41/services", "/v1.41/containers/json", "/events"):
        assert allowed(reads, path), path
        assert allowed(writes, path), path
    for path in ("/v1.41/services/x1/update", "/secrets", "/images/create", "/containers/x1/start"):
        assert not allowed(reads, path), path
        assert allowed(writes, path), path
    for path in ("/swarm", "/containers/x1/exec", "/exec/x1/start", "/containers/x1/archive", "/plugins"):
        assert not allowed(writes, path), path
    assert "method GET HEAD\n" in configuration(reads)
    assert "method GET HEAD POST PUT DELETE\n" in configuration(writes)


@both
def test_the_password_is_a_file_and_a_secret_output(portainer: bool) -> None:
    found = graph(portainer=portainer)
    container = task(found, "ui-page")["containerSpec"]
    assert [one["fileName"] for one in container["secrets"]] == ["/run/secrets/ui-password"]
    words, environment = container.get("args"), container.get("env")
    proxy, file = "tcp://ui-socket-proxy:2375", "/run/secrets/ui-password"
    if portainer:
        assert (words, environment) == (["--host", proxy, "--admin-password-file", file], None)
    else:
        assert (words, environment) == (None, {"UI_ENGINE": proxy, "UI_PASSWORD_FILE": file})
    (outputs,) = [outputs for outputs in found.outputs.values() if "ui_password" in outputs]
    assert outputs["ui_password"]["value"] == "sentinel-secret-ui-password"


def test_the_same_settings_drive_both() -> None:
    ui = {"port": 9100, "memory": "192m", "node": "worker-2"}
    page, portainer = graph(ui), graph(ui, portainer=True)
    for found, image in ((page, "/ui@sha256:"), (portainer, PORTAINER)):
        inputs = found.named("ui-page-service").inputs
        assert image in inputs["taskSpec"]["containerSpec"]["image"]
        assert inputs["mode"]["replicated"]["replicas"] == 1
        assert inputs["taskSpec"]["resources"]["limits"]["memoryBytes"] == 192 * MIB
        assert inputs["taskSpec"]["placement"]["constraints"][0] == "node.hostname == worker-2"
        edge = found.named("edge-haproxy-service").inputs["endpointSpec"]["ports"]
        assert 9100 in [port["publishedPort"] for port in edge]
    # Its own database is one Portainer's at a time.
    assert page.named("ui-page-service").inputs["updateConfig"]["order"] == "start-first"
    assert portainer.named("ui-page-service").inputs["updateConfig"]["order"] == "stop-first"


def test_portainers_data_are_on_a_volume_of_the_node() -> None:
    found = graph(portainer=True)
    assert task(found, "ui-page")["placement"]["constraints"][0] == "node.hostname == worker-1"
    assert not graph().named("ui-page-service").inputs["taskSpec"]["placement"].get("constraints")


@both
def test_the_page_is_healthy_when_it_works(portainer: bool) -> None:
    tests = task(graph(portainer=portainer), "ui-page")["containerSpec"]["healthcheck"]["tests"]
    assert tests[1] == ("wget" if portainer else "ui-health")


@both
def test_with_the_mesh_the_page_publishes_its_port_itself(portainer: bool) -> None:
    found = graph(portainer=portainer, network={"publish_mode": "ingress"})
    (port,) = found.named("ui-page-service").inputs["endpointSpec"]["ports"]
    assert (port["publishedPort"], port["targetPort"], port["publishMode"]) == (9000, 9000, "ingress")
    assert found.named("ui-proxy-haproxy-service").inputs["endpointSpec"]["mode"] == "dnsrr"
    assert "ports" not in found.named("ui-proxy-haproxy-service").inputs["endpointSpec"]


def test_the_page_waits_for_its_proxy() -> None:
    found = graph()
    proxy = found.named("ui-proxy-haproxy-service")
    assert proxy.urn in found.reachable(found.named("ui-page-service").urn)


@both
def test_the_plan_knows_the_overlays(portainer: bool) -> None:
    found = graph(portainer=portainer)
    names = {network.inputs["name"] for network in found.of_type("docker:index/network:Network")}
    planned = UiProduct().overlays(parse_settings(settings({}, portainer=portainer)))
    assert set(planned) == {name for name in names if name.startswith("ui")}
