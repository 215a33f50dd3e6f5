"""What a file does not say is decided, said in a line, and taken from the stack's settings where they say it."""

from dataclasses import fields

import pytest

from components.services.compose.bundle import read_bundle
from components.services.compose.model import Check, ComposeError, ComposeService, Port, Reading, Restart, Rollout
from components.services.compose.names import route_name
from components.services.compose.read import read_compose
from components.services.compose.settle import Choices, settle

DIGEST = "mysql@sha256:" + "1" * 64


def settled(lines: str, choices: Choices | None = None, declared: str = "") -> Reading:
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    reading = read_compose(f"services:\n  a:\n{body}{declared}")
    return settle("blog", reading, choices or Choices())


def service(lines: str, choices: Choices | None = None, declared: str = "") -> ComposeService:
    return settled(lines, choices, declared).file.services["a"]


def refusal(lines: str, choices: Choices | None = None, declared: str = "") -> str:
    with pytest.raises(ComposeError) as refused:
        settled(lines, choices, declared)
    (line,) = str(refused.value).splitlines()
    return line


def test_nothing_of_a_settled_service_is_left_open_but_a_healthcheck_and_a_log_driver() -> None:
    found = service("image: i")
    open_fields = {item.name for item in fields(found) if getattr(found, item.name) is None}
    assert open_fields == {"healthcheck", "logging", "endpoint_mode"}
    for group in (found.update, found.rollback, found.restart):
        assert [item.name for item in fields(group) if getattr(group, item.name) is None] == []


def test_every_default_is_said_in_a_line() -> None:
    assert settled("image: i").notes == (
        "services.a: not said, so taken: deploy.resources.limits.memory 512m, deploy.resources.limits.cpus 1, "
        "deploy.update_config.failure_action rollback, logging local, capped at 30 MB a task",
        "services.a.healthcheck: not said: without one of its image an update cannot tell that it works; say test",
        "services.a.image is 'i': not by digest, so that nodes may run different ones; name the digest, or choose one "
        "under images",
    )


def test_a_file_that_says_it_all_has_no_lines() -> None:
    said = (
        f"image: {DIGEST}\n"
        "healthcheck: {test: [CMD, 'true']}\n"
        "logging: {driver: json-file}\n"
        "deploy: {resources: {limits: {memory: 64m, cpus: '0.1'}}, update_config: {failure_action: pause}}"
    )
    assert settled(said).notes == ()


def test_what_the_file_says_goes_before_every_default() -> None:
    found = service(
        "image: i\nstop_grace_period: 1m\ndeploy: {resources: {limits: {memory: 64m}}, "
        "update_config: {order: start-first}, restart_policy: {condition: none}}",
        Choices(memory=2**30, cpus=2.0),
    )
    assert (found.memory, found.cpus, found.stop_grace_period) == (64 * 2**20, 2.0, "1m")
    assert found.update == Rollout(
        parallelism=1, delay="0s", failure_action="rollback", monitor="5s", max_failure_ratio=0.0, order="start-first"
    )
    assert found.restart == Restart(condition="none", delay="5s", max_attempts=0, window="0s")


def test_a_healthcheck_has_dockers_own_times_where_it_says_none() -> None:
    assert service("image: i\nhealthcheck: {test: x, retries: 9}").healthcheck == Check(
        form="CMD-SHELL", test=("x",), interval="30s", timeout="30s", retries=9, start_period="0s"
    )
    assert service("image: i\nhealthcheck: {disable: true}").healthcheck == Check(form="NONE")


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("i", "i:latest"),
        ("host:5000/i", "host:5000/i:latest"),
        ("host:5000/i:2", "host:5000/i:2"),
        (DIGEST, DIGEST),
        ("mysql:5.6", "mariadb"),
    ],
)
def test_an_image_is_the_chosen_one_or_has_a_tag(written: str, taken: str) -> None:
    choices = Choices(images={"mysql:5.6": "mariadb"} if written == "mysql:5.6" else {})
    assert service(f"image: '{written}'", choices).image == taken


def test_services_and_containers_are_labelled_with_the_stack_as_docker_does() -> None:
    found = service("image: i\nlabels: {a: b}\ndeploy: {labels: {c: d}}")
    assert found.container_labels == {"a": "b", "com.docker.stack.namespace": "blog"}
    assert found.labels == {"c": "d", "com.docker.stack.namespace": "blog"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("volumes: ['/srv:/d']", True),
        ("volumes: ['/srv:/d']\ndeploy: {placement: {constraints: [node.hostname != worker-1]}}", True),
        ("volumes: ['/srv:/d']\ndeploy: {placement: {constraints: [node.hostname == worker-1]}}", False),
        ("volumes: ['/srv:/d']\ndeploy: {mode: global}", False),
        ("volumes: ['/srv:/d:ro']", False),
    ],
)
def test_a_folder_that_tasks_write_to_and_do_not_stay_at_is_said(lines: str, said: bool) -> None:
    notes = settled(f"image: i\n{lines}").notes
    assert any(note.startswith("services.a.volumes is '/srv': a folder of each node") for note in notes) == said


def test_a_bundles_port_gets_its_number_from_the_settings() -> None:
    bundle = read_bundle('{"Version": "0.1", "Services": {"a": {"Image": "i", "Ports": [{"Port": 80}]}}}')
    assert settle("blog", bundle, Choices(publish={"a:80": 8001})).file.services["a"].ports == (
        Port(target=80, published=8001),
    )
    with pytest.raises(
        ComposeError, match=r"services\.a\.ports is 80: the swarm would choose a published port, .*a:80"
    ):
        settle("blog", bundle, Choices())


def test_an_address_of_a_service_is_dnsrr_where_the_kernel_may_have_no_ip_vs() -> None:
    reading = settled("image: i\ndeploy: {endpoint_mode: vip}")
    assert reading.file.services["a"].endpoint_mode is None
    assert any("endpoint_mode is 'vip': taken as dnsrr" in note for note in reading.notes)
    mesh = Choices(publish_mode="ingress")
    assert service("image: i\ndeploy: {endpoint_mode: vip}", mesh).endpoint_mode == "vip"


REFUSALS: list[tuple[str, Choices, str, str]] = [
    (
        "image: i\nports: ['53:53/udp']",
        Choices(),
        "",
        "services.a.ports is '53:53/udp': the proxy on every node passes TCP on, not UDP; use mode: host in the long "
        "form, or network.publish_mode: ingress",
    ),
    (
        "image: i\nports: ['80:80']\ndeploy: {endpoint_mode: dnsrr}",
        Choices(publish_mode="ingress"),
        "",
        "services.a.deploy.endpoint_mode is 'dnsrr': the routing mesh needs a virtual address; use vip, or mode: host "
        "in the long form of its ports",
    ),
    (
        "image: i\nvolumes: ['./data:/d']",
        Choices(),
        "",
        "services.a.volumes is './data': a path beside the Compose file, which no node has; choose a volume for it "
        "under volumes, or write a path of the nodes that begins with /",
    ),
    (
        "image: i\nsecrets: [s, {source: s, target: t}]",
        Choices(secrets=("s",)),
        "secrets: {s: {external: true}}",
        "services.a.secrets is 's': there twice; say it once",
    ),
    (
        "image: i\nsecrets: [s]",
        Choices(),
        "secrets: {s: {external: true}}",
        "secrets.s is 'external': its content is not known here; give its value under secrets, "
        "or name it under generated",
    ),
    (
        "image: i",
        Choices(configs=("c",)),
        "configs: {c: {content: x}}",
        "compose.blog.configs is 'c': the file has no such external one; leave it out",
    ),
    (
        "image: i",
        Choices(images={"j": "nginx"}),
        "",
        "compose.blog.images is 'j': the file has no such thing; use one of i",
    ),
    (
        "image: i",
        Choices(volumes={"v": "data"}),
        "volumes: {v: {}}",
        "compose.blog.volumes is 'v': the file has no such thing; leave it out",
    ),
    (
        "image: i\nports: ['80:80']",
        Choices(publish={"a:81": 81}),
        "",
        "compose.blog.publish is 'a:81': the file has no such thing; use one of a:80",
    ),
    (
        "image: i",
        Choices(health_paths={"b": "/"}),
        "",
        "compose.blog.health_paths is 'b': the file has no such thing; use one of a",
    ),
]


@pytest.mark.parametrize(("lines", "choices", "declared", "message"), REFUSALS, ids=[row[3][:50] for row in REFUSALS])
def test_what_cannot_be_is_refused_with_one_line(lines: str, choices: Choices, declared: str, message: str) -> None:
    assert refusal(lines, choices, declared) == message


def test_a_route_has_a_name_that_every_load_balancer_takes() -> None:
    assert route_name("test1", "Resource_Manager.a", 8088) == "test1-resource-manager-a-8088"
