"""Compose files that a stack names: what the settings say of them, and what the stack's machines, volumes, ports and
networks allow."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from images.recipe import SERVICES
from stacks.composed import balanced_ports, load_composed, network_order, publications
from stacks.errors import SettingsError
from stacks.load import load, parse_settings
from stacks.plan import Plan, make_plan

DIGEST = "sha256:" + "1" * 64
RENTED: dict[str, Any] = {
    "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
    "registry": {"address": "registry.example.com"},
}
ARM: dict[str, Any] = {
    "aws": {"image": {"architecture": "arm64"}, "bastion_type": "t4g.micro"},
    "managers": {"count": 3, "type": "t4g.medium"},
    "workers": {"count": 3, "type": "t4g.medium"},
    "services": {"web": None, "wordpress": None},
}
PINNED = "deploy: {placement: {constraints: [node.hostname == worker-1]}}"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


def plan(folder: Path, text: str, settings: dict[str, Any] | None = None, **compose: Any) -> Plan:
    """The plan of a stack with this Compose file."""
    (folder / "blog.yaml").write_text(text)
    parsed = parse_settings({**(settings or {}), "compose": {"blog": {"file": "blog.yaml", **compose}}})
    return make_plan("dev", parsed, load_composed(parsed, folder))


def service(lines: str, declared: str = "") -> str:
    return "services:\n  a:\n    image: i\n" + "".join(f"    {line}\n" for line in lines.splitlines()) + declared


def test_a_compose_file_is_planned_with_a_line_for_every_default(tmp_path: Path) -> None:
    made = plan(tmp_path, service("ports: ['9000:80']"))
    assert all(warning.startswith("blog.yaml: services.a") for warning in made.warnings)
    assert len(made.warnings) == 3
    assert balanced_ports(made.composed) == {"blog-a-9000": 9000}
    assert [rule.why for rule in made.rules if rule.first == 9000] == ["published by service blog_a"]


def test_an_encrypted_network_opens_esp_and_nothing_else_does(tmp_path: Path) -> None:
    encrypted = plan(tmp_path, service("networks: [n]", "networks: {n: {driver_opts: {encrypted: ''}}}"))
    assert [rule.protocol for rule in encrypted.rules].count("esp") == 1
    assert "esp" not in [rule.protocol for rule in plan(tmp_path, service("user: u")).rules]


def test_a_port_of_the_node_is_open_but_not_balanced(tmp_path: Path) -> None:
    composed = plan(tmp_path, service("ports: [{target: 53, published: 5353, protocol: udp, mode: host}]")).composed
    assert [str(one) for one in publications(composed)] == ["5353/udp"]
    assert balanced_ports(composed) == {}


def test_a_local_volume_is_taken_where_the_service_stays_or_the_stack_looks_after_it(tmp_path: Path) -> None:
    text = service(f"volumes: ['data:/d']\n{PINNED}", "volumes: {data: {}}")
    assert plan(tmp_path, text).composed
    free = service("volumes: ['data:/d']", "volumes: {data: {}}")
    assert plan(tmp_path, free, {"volumes": {"archive": {"node": "worker-2"}}}, volumes={"data": "archive"}).composed
    everywhere = service("volumes: ['data:/d']\ndeploy: {mode: global}", "volumes: {data: {}}")
    assert plan(tmp_path, everywhere).composed


@pytest.mark.parametrize(
    ("settings", "architecture"),
    [
        ({}, "aarch64"),
        ({}, "x86_64"),
        ({**RENTED, "cloud": "openstack"}, "x86_64"),
        ({**RENTED, "cloud": "aws"}, "x86_64"),
        ({**RENTED, "cloud": "aws", **ARM}, "aarch64"),
        ({**RENTED, "cloud": "aws", **ARM, "workers": {"count": 3, "type": "t4g.medium", "pool": True}}, "aarch64"),
    ],
)
def test_a_service_may_ask_for_the_architecture_that_nodes_have(
    tmp_path: Path, settings: dict[str, Any], architecture: str
) -> None:
    """That of local nodes is the computer's, whatever it is."""
    constraints = f"node.platform.arch == {architecture}, node.role == worker"
    text = service(f"deploy: {{placement: {{constraints: [{constraints}]}}}}")
    assert plan(tmp_path, text, settings).composed


def test_one_task_that_stops_first_may_have_a_block_volume(tmp_path: Path) -> None:
    rented: dict[str, Any] = {**RENTED, "cloud": "openstack", "volumes": {"archive": {"node": "worker-2"}}}
    text = service("volumes: ['data:/d']\ndeploy: {update_config: {order: stop-first}}", "volumes: {data: {}}")
    assert plan(tmp_path, text, rented, volumes={"data": "archive"}).composed


def test_the_name_of_a_stack_begins_with_a_letter() -> None:
    with pytest.raises(SettingsError) as refused:
        parse_settings({"compose": {"1blog": {"file": "blog.yaml"}}})
    assert str(refused.value) == (
        "compose.1blog is '1blog': use up to 32 small letters, digits and - between them, a letter first, such as blog"
    )


SIZING = """
services:
  frontend: {image: nginx, ports: ["9000:80"], deploy: {replicas: 10}}
  cache: {image: memcached, deploy: {replicas: 3}}
  database: {image: mysql, deploy: {replicas: 5}}
"""


def test_ten_frontends_three_caches_and_five_databases_are_planned_where_the_overlay_holds_them(tmp_path: Path) -> None:
    """The book's example of sizes (M75). A task without an address would wait in `allocating` for ever (M76)."""
    (one,) = plan(tmp_path, SIZING).composed
    assert {name: service.replicas for name, service in one.file.services.items()} == {
        "frontend": 10,
        "cache": 3,
        "database": 5,
    }
    with pytest.raises(
        SettingsError,
        match=r"network\.overlay_prefix is 27: overlay blog_default has 29 usable addresses, but 26 tasks",
    ):
        plan(tmp_path, SIZING, {"network": {"overlay_prefix": 27}})


def two(folder: Path, first: str, second: str) -> Any:
    (folder / "one.yaml").write_text(first)
    (folder / "two.yaml").write_text(second)
    return parse_settings({"compose": {"one": {"file": "one.yaml"}, "two": {"file": "two.yaml"}}})


def test_a_file_that_joins_the_network_of_another_comes_after_it(tmp_path: Path) -> None:
    joins = service("networks: [n]", "networks: {n: {external: true, name: two_back}}")
    settings = two(tmp_path, joins, service("networks: [back]", "networks: {back: {}}"))
    assert [one.name for one in network_order(load_composed(settings, tmp_path))] == ["two", "one"]
    assert make_plan("dev", settings, load_composed(settings, tmp_path)).composed


def test_two_files_that_join_networks_of_each_other_are_refused(tmp_path: Path) -> None:
    declared = "networks: {{own: {{}}, n: {{external: true, name: {other}_own}}}}"
    lines = "networks: [own, n]"
    settings = two(tmp_path, service(lines, declared.format(other="two")), service(lines, declared.format(other="one")))
    with pytest.raises(SettingsError) as refused:
        make_plan("dev", settings, load_composed(settings, tmp_path))
    assert str(refused.value) == (
        "compose is ['one', 'two']: each joins a network of another; let one of them make the networks"
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a Compose file that has an external secret, and with all that `make` puts there."""
    monkeypatch.setattr(pulumi, "get_project", lambda: "flotilla")
    work = tmp_path / ".flotilla"
    work.mkdir()
    services = {name: {"digest": DIGEST} for name in ("haproxy", "mariadb", "nginx", "wordpress")}
    built = {"machine": "m:1", "registry": "r:1", "haproxy": "h:1", "services": services}
    (work / "images.json").write_text(json.dumps({"sets": {"own": built}}))
    (work / "host.json").write_text(json.dumps({"capabilities": [], "architecture": "amd64"}))
    (work / "id_ed25519.pub").write_text(KEY)
    (tmp_path / "blog.yaml").write_text(service("secrets: [s]", "secrets: {s: {external: true}}"))
    return tmp_path


def configure(monkeypatch: pytest.MonkeyPatch, *secret: str, **compose: Any) -> None:
    config = {"flotilla:compose": json.dumps({"blog": {"file": "blog.yaml", **compose}})}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(config))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(secret))


def test_the_value_of_a_secret_comes_from_an_encrypted_setting_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, "flotilla:compose", secrets={"s": "hunter2"})
    inputs = load("dev", project)
    assert inputs.composed[0].secrets == {"s": "hunter2"}
    assert "hunter2" not in repr(inputs)
    configure(monkeypatch, secrets={"s": "hunter2"})
    with pytest.raises(SettingsError) as refused:
        load("dev", project)
    assert str(refused.value) == (
        "compose.blog.secrets has values in plain text: set each with "
        "`config set --secret --path 'compose.blog.secrets.s'`"
    )


def test_a_secret_is_read_in_the_stack_file_as_it_is_encrypted_there(project: Path) -> None:
    compose = {"file": "blog.yaml", "secrets": {"s": {"secure": "v1:abc"}}}
    parsed = parse_settings({"compose": {"blog": compose}})
    assert load_composed(parsed, project)[0].secrets == {"s": "v1:abc"}


def test_an_image_that_the_stack_has_not_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, generated=["s"], images={"i": "nginx"})
    assert load("dev", project).composed[0].file.services["a"].image == "nginx"
    configure(monkeypatch, generated=["s"], images={"i": "mysql"})
    with pytest.raises(SettingsError) as refused:
        load("dev", project)
    assert str(refused.value) == (
        "compose.blog.images.i is 'mysql': the stack has no such image; use one of "
        f"{', '.join(sorted(SERVICES))}, or one by digest"
    )
