"""Compose files in the graph of a whole program, and the way out of it: what the engine records becomes a file again,
and that file makes the same services."""

import base64
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.services.compose.model import ComposeFile
from components.services.compose.read import read_compose
from components.services.compose.write import deployable, write_compose
from stacks.export import services_of
from tests.graph.graph import Graph, Resource, leaks, record

FILES = "tests/unit/services/compose_files"
WORDPRESS: dict[str, Any] = {
    "file": f"{FILES}/wordpress-v2.yaml",
    "images": {"mysql:5.6": "mariadb", "wordpress:latest": "wordpress"},
    "volumes": {"./.data/db": "blog"},
    "health_paths": {"wordpress": "/wp-login.php"},
}
BUNDLE: dict[str, Any] = {"file": f"{FILES}/wordpress.dab", "publish": {"wordpress:80": 8002}}
EVERYTHING: dict[str, Any] = {
    "file": f"{FILES}/everything.yaml",
    "generated": ["session"],
    "configs": {"motd": "motd.txt"},
    "variables": {"TAG": "1.2"},
}
STACKS: dict[str, dict[str, Any]] = {
    "book": {
        "volumes": {"blog": {"node": "worker-1"}},
        "compose": {"blog": WORDPRESS, "wordpress1": BUNDLE},
    },
    "mesh": {"network": {"publish_mode": "ingress"}, "compose": {"all": EVERYTHING}, "workers": {"count": 3}},
    "edge": {"compose": {"all": EVERYTHING}, "workers": {"count": 3}},
    **{
        cloud: {
            "cloud": cloud,
            "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
            "registry": {"address": "registry.example.com"},
            "volumes": {"blog": {"node": "worker-1"}},
            "compose": {"all": EVERYTHING, "blog": WORDPRESS},
        }
        for cloud in ("aws", "openstack")
    },
}
MODES = ("applied", "preview")
SERVICE = "docker:index/service:Service"

every_stack = pytest.mark.parametrize(
    "stack", [pytest.param(name, marks=[pytest.mark.xdist_group(f"compose {name}")]) for name in STACKS]
)


@cache
def graph(stack: str, mode: str = "applied") -> Graph:
    return record(STACKS[stack], mode)


def services(found: Graph) -> dict[str, Resource]:
    return {resource.inputs["name"]: resource for resource in found.of_type(SERVICE)}


def container(stack: str, service: str) -> dict[str, Any]:
    return services(graph(stack))[service].inputs["taskSpec"]["containerSpec"]


def test_services_networks_and_volumes_are_named_as_docker_stack_deploy_names_them() -> None:
    found = graph("book")
    assert {name for name in services(found) if "_" in name} == {
        "blog_db",
        "blog_wordpress",
        "wordpress1_db",
        "wordpress1_wordpress",
    }
    networks = {resource.inputs["name"] for resource in found.of_type("docker:index/network:Network")}
    assert {"blog_default", "wordpress1_default"} < networks
    (mount,) = [mount for mount in container("edge", "all_app")["mounts"] if mount["type"] == "volume"]
    assert mount["source"] == "all_data"


def test_services_of_one_stack_find_each_other_by_their_short_names() -> None:
    (network,) = services(graph("book"))["blog_db"].inputs["taskSpec"]["networksAdvanceds"]
    assert network == {"id": "compose-blog-network-default-network-id", "aliases": ["db"]}


def test_a_path_beside_the_file_becomes_a_volume_of_the_stack_and_pins_the_service_to_it() -> None:
    database = services(graph("book"))["blog_db"].inputs["taskSpec"]
    assert database["containerSpec"]["mounts"] == [{"type": "volume", "source": "blog", "target": "/var/lib/mysql"}]
    assert database["placement"]["constraints"] == ["node.hostname == worker-1"]


def test_images_are_those_of_the_stack_or_as_the_file_has_them() -> None:
    assert container("book", "blog_db")["image"].startswith("10.60.0.5:5000/mariadb@sha256:")
    assert container("book", "wordpress1_db")["image"].startswith("mysql@sha256:e9b0bc4b")
    assert container("edge", "all_app")["image"] == "registry.example.com/app:1.2"


def test_a_published_port_goes_through_the_proxy_or_the_mesh_and_the_load_balancer() -> None:
    edge, mesh = services(graph("edge")), services(graph("mesh"))
    ports = {(port["publishMode"], port["publishedPort"]) for port in edge["edge"].inputs["endpointSpec"]["ports"]}
    assert ("host", 9000) in ports
    assert "edge" not in mesh
    own = {name: found["all_app"].inputs["endpointSpec"]["ports"] for name, found in (("edge", edge), ("mesh", mesh))}
    assert [port["publishedPort"] for port in own["edge"]] == [5353]
    assert sorted(port["publishedPort"] for port in own["mesh"]) == [5353, 9000, 9001]
    for stack in ("edge", "mesh"):
        (balancer,) = [r for r in graph(stack).resources if r.name == "load-balancer-container"]
        text = balancer.inputs["uploads"][0]["content"]
        assert "frontend all-app-9000\n    bind :9000\n    mode tcp" in text
        assert "backend all-app-9000\n    balance roundrobin\n    mode tcp" in text


def test_a_managed_balancer_tries_a_path_or_a_connection() -> None:
    pools = {r.name: r.inputs["healthCheck"] for r in graph("aws").of_type("aws:lb/targetGroup:TargetGroup")}
    monitors = {r.name: r.inputs for r in graph("openstack").of_type("openstack:loadbalancer/monitor:Monitor")}
    for route, path in (("blog-wordpress-8000", "/wp-login.php"), ("all-app-9000", None)):
        (pool,) = [check for name, check in pools.items() if name.endswith(route)]
        (monitor,) = [check for name, check in monitors.items() if name.endswith(route)]
        assert (pool["protocol"], pool.get("path")) == ("HTTP" if path else "TCP", path)
        assert (monitor["type"], monitor.get("urlPath")) == ("HTTP" if path else "TCP", path)


def test_a_block_volume_of_a_cloud_is_mounted_where_the_file_says_and_the_service_stays_in_its_zone() -> None:
    database = services(graph("aws"))["blog_db"].inputs["taskSpec"]
    (mount,) = database["containerSpec"]["mounts"]
    assert mount["target"] == "/var/lib/mysql"
    assert mount["volumeOptions"]["driverOptions"]["o"] == "bind"
    assert "node.hostname == worker-1" in database["placement"]["constraints"]
    assert any(constraint.startswith("node.labels.zone == ") for constraint in database["placement"]["constraints"])


def test_a_service_that_speaks_http_is_checked_by_its_path() -> None:
    (configuration,) = graph("book").of_type("docker:index/serviceConfig:ServiceConfig")
    text = base64.b64decode(configuration.inputs["data"]).decode()
    assert "backend blog-wordpress-8000\n    balance roundrobin\n    option httpchk GET /wp-login.php" in text
    assert "tasks.blog_wordpress:80 check" in text


@every_stack
def test_the_first_preview_registers_the_same_resources_as_the_update(stack: str) -> None:
    assert set(graph(stack, "preview").by_urn) == set(graph(stack).by_urn)


@every_stack
def test_everything_of_a_compose_file_waits_for_the_swarm_and_goes_away_with_it(stack: str) -> None:
    found = graph(stack)
    (cluster,) = found.of_type("swarm:index:Cluster")
    own = [r for r in found.resources if r.name.startswith("compose-") and r.type.startswith("docker:")]
    assert len(own) >= 4
    for resource in own:
        assert cluster.urn in found.reachable(resource.urn), resource.name
        assert resource.deleted_with == cluster.urn, resource.name


@every_stack
def test_every_service_has_limits_and_rolls_back_unless_the_file_says_otherwise(stack: str) -> None:
    for name, service in services(graph(stack)).items():
        assert service.inputs["taskSpec"]["resources"]["limits"]["memoryBytes"] >= 4 * 2**20, name
        assert service.inputs["updateConfig"]["failureAction"] == "rollback" or name == "all_app"
        assert service.inputs["taskSpec"]["containerSpec"]["stopGracePeriod"], name


@every_stack
@pytest.mark.parametrize("mode", MODES)
def test_the_content_of_a_secret_is_never_outside_a_secret_wrapper(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    assert [resource.name for resource in found.resources if leaks(resource.inputs)] == []
    assert "sentinel-secret-in-a-file" not in str(
        [r.inputs for r in found.resources if r.type != "docker:index/secret:Secret"]
    )


def test_the_secrets_of_a_file_are_made_from_files_and_at_random() -> None:
    secrets = {r.name: str(r.inputs) for r in graph("edge").of_type("docker:index/secret:Secret")}
    assert set(secrets) >= {"compose-all-app-password", "compose-all-app-session"}
    assert graph("edge").named("compose-all-secret-session").inputs["length"] == 32


def test_adding_a_compose_file_only_adds_but_for_the_ports_that_lead_to_it() -> None:
    plain = record({"workers": {"count": 3}}, "applied")
    more = graph("edge")
    assert set(plain.by_urn) < set(more.by_urn)
    changed = {r.name for r in plain.resources if r.custom and more.by_urn[r.urn].inputs != r.inputs}
    assert changed == {"edge-haproxy-service", "edge-haproxy-configuration", "load-balancer-container"}


def exported(found: Graph) -> ComposeFile:
    """What `make export-stack` writes of a stack whose state is this graph."""
    state = [{"urn": r.urn, "type": r.type, "id": f"{r.name}-id", "inputs": r.inputs} for r in found.resources]
    reading = services_of(state)
    assert reading.notes == ()
    return reading.file


@every_stack
def test_an_exported_stack_is_read_as_what_was_written(stack: str) -> None:
    file, _ = deployable(exported(graph(stack)))
    assert read_compose(write_compose(file)).file == file
    assert set(file.services) == set(services(graph(stack)))


@every_stack
def test_an_exported_stack_names_secrets_and_configs_and_holds_none(stack: str) -> None:
    file = exported(graph(stack))
    assert file.secrets
    assert all(secret.external and secret.name for secret in (*file.secrets.values(), *file.configs.values()))
    assert "sentinel-secret" not in write_compose(file)


def task(found: Graph, name: str, suffix: str) -> Any:
    """A service's inputs without what the new stack is called and what the swarm calls things by."""
    text: dict[str, Any] = {key: value for key, value in services(found)[name].inputs.items() if key != "name"}
    spec = dict(text["taskSpec"])
    ids = {f"{r.name}-id": r.inputs["name"] for r in found.of_type("docker:index/network:Network")}
    spec["networksAdvanceds"] = sorted(
        (ids[network["id"]].removeprefix(suffix), sorted(set(network.get("aliases", [])) - {name.removeprefix(suffix)}))
        for network in spec["networksAdvanceds"]
    )
    inside = {**spec["containerSpec"]}
    for kind in ("secrets", "configs"):
        inside[kind] = sorted(
            (file["fileName"], file["fileMode"], file.get("fileUid")) for file in inside.get(kind, [])
        )
    inside["labels"] = [entry for entry in inside.get("labels", []) if "docker.stack" not in entry["label"]]
    text["labels"] = [entry for entry in text.get("labels", []) if "docker.stack" not in entry["label"]]
    # The provider's own defaults, which a product leaves to it.
    left = {"delay": "0s", "failureAction": "pause", "maxFailureRatio": "0.0", "monitor": "5s"}
    text["rollbackConfig"] = {**left, **text["rollbackConfig"]}
    return {**text, "taskSpec": {**spec, "containerSpec": inside}}


@pytest.mark.parametrize("stack", ["mesh", "edge"])
def test_who_leaves_and_comes_back_has_the_same_services(stack: str, tmp_path: Path) -> None:
    """Graph → file → graph: every service says the same, but for its name and the names of what it uses."""
    left = graph(stack)
    # Its groups and resolver options have no place in format 3.8; the file of today's specification has them.
    file = exported(left)
    path = tmp_path / "stack.yaml"
    path.write_text(write_compose(file))
    (tmp_path / "content").write_text("x")
    back = {
        "file": str(path),
        "generated": sorted(file.secrets),
        "configs": dict.fromkeys(file.configs, "content"),
    }
    nothing = {"web": None, "wordpress": None}
    mesh = {"network": {"publish_mode": "ingress"}}
    came = record({**STACKS[stack], **mesh, "services": nothing, "compose": {"back": back}}, "applied")
    for name in services(left):
        assert task(came, f"back_{name}", "back_") == task(left, name, ""), name
