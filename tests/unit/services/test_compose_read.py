"""Compose files as they are written in the field, and what becomes of each thing that they say."""

from pathlib import Path
from typing import Any

import pytest

from components.services.compose.bundle import read_bundle
from components.services.compose.model import (
    Check,
    ComposeContent,
    ComposeFile,
    ComposeNetwork,
    ComposeService,
    FileMount,
    FileReference,
    Logging,
    Port,
    Reading,
    Restart,
    Rollout,
)
from components.services.compose.read import files_named, read_compose
from components.services.compose.write import write_compose

FILES = Path(__file__).with_name("compose_files")
BOOK = ("wordpress-v2.yaml", "hadoop-v3.yaml", "mvc-v3.yaml", "wordpress.dab")


def read(name: str) -> Reading:
    text = (FILES / name).read_text()
    return read_bundle(text) if name.endswith(".dab") else read_compose(text)


def service(lines: str, **more: Any) -> ComposeService:
    """A service `a` of image `i` with these lines."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    declared = "networks: {back: {}, front: {}}\nvolumes: {data: {}}\n"
    contents = "secrets: {password: {external: true}}\nconfigs: {page: {external: true}}\n"
    return read_compose(f"services:\n  a:\n    image: i\n{body}{declared}{contents}", **more).file.services["a"]


def test_the_wordpress_file_of_version_2_is_two_services_and_a_line_for_all_that_a_swarm_does_otherwise() -> None:
    reading = read("wordpress-v2.yaml")
    database, site = reading.file.services["db"], reading.file.services["wordpress"]
    assert database.image == "mysql:5.6"
    assert database.mounts == (FileMount(type="bind", source="./.data/db", target="/var/lib/mysql"),)
    assert database.restart == Restart(condition="any")
    assert site.ports == (Port(target=80, published=8000),)
    assert site.environment["WORDPRESS_DB_HOST"] == "db:3306"
    assert site.networks == {"default": ()}
    assert reading.notes[0] == (
        "services.db.restart is 'always': taken as deploy.restart_policy.condition any; say that instead"
    )
    assert (
        "services.wordpress.depends_on is ['db']: ignored: a swarm starts all services at once; "
        "let the service wait for what it needs"
    ) in reading.notes
    assert [note.partition(":")[0] for note in reading.notes] == [
        "services.db.restart is 'always'",
        "services.db.environment is 'MYSQL_ROOT_PASSWORD'",
        "services.db.environment is 'MYSQL_PASSWORD'",
        "services.wordpress.depends_on is ['db']",
        "services.wordpress.links is ['db']",
        "services.wordpress.restart is 'always'",
        "services.wordpress.environment is 'WORDPRESS_DB_PASSWORD'",
    ]


def test_no_line_shows_the_value_of_what_looks_like_a_secret() -> None:
    for name in ("wordpress-v2.yaml", "mvc-v3.yaml", "wordpress.dab"):
        for note in read(name).notes:
            assert "dockerswarm" not in note
            assert "mysecret" not in note


def test_the_spark_and_hadoop_file_is_seven_services_on_one_overlay() -> None:
    reading = read("hadoop-v3.yaml")
    assert reading.notes == ()
    assert reading.file.networks == {"hadoopv1": ComposeNetwork()}
    services = reading.file.services
    assert len(services) == 7
    assert {name: one.replicas for name, one in services.items() if one.replicas != 1} == {
        "worker": 2,
        "datanode": 3,
        "nodemanager": 3,
    }
    assert services["datanode"].update == Rollout(parallelism=2, delay="10s")
    assert services["datanode"].restart == Restart(condition="on-failure")
    assert services["master"].command[-2:] == ("-h", "master")
    assert services["master"].constraints == ("node.hostname == master",)
    assert services["worker"].environment["SPARK_WORKER_CORES"] == "1"
    assert services["namenode"].hostname == "namenode"


def test_the_mvc_file_places_its_tasks_by_a_label_and_its_database_by_a_name() -> None:
    services = read("mvc-v3.yaml").file.services
    assert services["mvc"].replicas == 5
    assert services["mvc"].constraints == ("node.labels.type == mvc",)
    assert services["mvc"].ports == (Port(target=80, published=3000),)
    assert services["mysql"].environment["bind-address"] == "0.0.0.0"
    assert services["mysql"].mounts == (FileMount(type="volume", source="productdata_swarm", target="/var/lib/mysql"),)


def test_a_bundle_is_services_by_digest_whose_ports_have_no_number_outside() -> None:
    reading = read("wordpress.dab")
    assert reading.file.services["db"].image.startswith("mysql@sha256:e9b0bc4b")
    assert reading.file.services["wordpress"].ports == (Port(target=80),)
    assert reading.file.networks == {"default": ComposeNetwork()}
    assert [note.partition(":")[0] for note in reading.notes] == [
        "Services.db.Env is 'MYSQL_ROOT_PASSWORD'",
        "Services.db.Env is 'MYSQL_PASSWORD'",
        "Services.wordpress.Env is 'WORDPRESS_DB_PASSWORD'",
    ]


@pytest.mark.parametrize("name", BOOK)
def test_a_file_of_the_book_is_the_same_values_after_it_was_written_anew(name: str) -> None:
    file = read(name).file
    assert read_compose(write_compose(file)).file == file


FORMS: list[tuple[str, str, dict[str, Any]]] = [
    ("command: sh -c 'echo a b'", "command: [sh, -c, echo a b]", {"command": ("sh", "-c", "echo a b")}),
    ("entrypoint: tini --", "entrypoint: [tini, --]", {"entrypoint": ("tini", "--")}),
    ("environment: [A=1, B=]", "environment: {A: 1, B: ''}", {"environment": {"A": "1", "B": ""}}),
    ("labels: [a=b, c]", "labels: {a: b, c: }", {"container_labels": {"a": "b", "c": ""}}),
    (
        "sysctls: [net.core.somaxconn=1024]",
        "sysctls: {net.core.somaxconn: 1024}",
        {"sysctls": {"net.core.somaxconn": "1024"}},
    ),
    ("ports: [80]", "ports: [{target: 80}]", {"ports": (Port(target=80),)}),
    ("ports: [22:22]", 'ports: ["22:22"]', {"ports": (Port(target=22, published=22),)}),
    (
        "ports: ['53:5353/udp']",
        "ports: [{target: 5353, published: '53', protocol: udp, mode: ingress}]",
        {"ports": (Port(target=5353, published=53, protocol="udp"),)},
    ),
    (
        "ports: ['8000-8001:80-81']",
        "ports: ['8000:80', '8001:81']",
        {"ports": (Port(target=80, published=8000), Port(target=81, published=8001))},
    ),
    (
        "volumes: ['data:/d:ro,nocopy']",
        "volumes: [{type: volume, source: data, target: /d, read_only: true, volume: {nocopy: true}}]",
        {"mounts": (FileMount(type="volume", source="data", target="/d", read_only=True, no_copy=True),)},
    ),
    (
        "volumes: ['/srv:/d:rslave']",
        "volumes: [{type: bind, source: /srv, target: /d, bind: {propagation: rslave}}]",
        {"mounts": (FileMount(type="bind", source="/srv", target="/d", propagation="rslave"),)},
    ),
    ("tmpfs: /run", "volumes: [{type: tmpfs, target: /run}]", {"mounts": (FileMount(type="tmpfs", target="/run"),)}),
    ("volumes: [/d]", "volumes: [{type: volume, target: /d}]", {"mounts": (FileMount(type="volume", target="/d"),)}),
    ("networks: [back]", "networks: {back: }", {"networks": {"back": ()}}),
    (
        "secrets: [password]",
        "secrets: [{source: password, target: password, mode: 0444, uid: '0'}]",
        {"secrets": (FileReference(source="password", target="/run/secrets/password"),)},
    ),
    (
        "configs: [page]",
        "configs: [{source: page, target: /page, mode: 0o444}]",
        {"configs": (FileReference(source="page", target="/page"),)},
    ),
    ("extra_hosts: ['db:10.0.0.1']", "extra_hosts: {db: 10.0.0.1}", {"hosts": (("db", "10.0.0.1"),)}),
    ("extra_hosts: ['db:::1']", "extra_hosts: ['db=[::1]']", {"hosts": (("db", "::1"),)}),
    ("dns: 9.9.9.9", "dns: [9.9.9.9]", {"dns": ("9.9.9.9",)}),
    (
        "healthcheck: {test: curl localhost, interval: 60s}",
        "healthcheck: {test: [CMD-SHELL, curl localhost], interval: 1m}",
        {"healthcheck": Check(form="CMD-SHELL", test=("curl localhost",), interval="1m")},
    ),
    ("healthcheck: {disable: true}", "healthcheck: {test: [NONE]}", {"healthcheck": Check(form="NONE")}),
    ("mem_limit: 64m", "deploy: {resources: {limits: {memory: 64M}}}", {"memory": 64 * 2**20}),
    (
        "mem_reservation: 64m",
        "deploy: {resources: {reservations: {memory: 67108864}}}",
        {"reserved_memory": 64 * 2**20},
    ),
    ("cpus: 0.5", "deploy: {resources: {limits: {cpus: '0.5'}}}", {"cpus": 0.5}),
    ("scale: 4", "deploy: {replicas: '4'}", {"replicas": 4}),
    (
        "restart: on-failure:3",
        "deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}",
        {"restart": Restart(condition="on-failure", max_attempts=3)},
    ),
    ("restart: no", "deploy: {restart_policy: {condition: none}}", {"restart": Restart(condition="none")}),
    ("cap_add: [net_admin]", "cap_add: [CAP_NET_ADMIN]", {"cap_add": ("CAP_NET_ADMIN",)}),
    ("deploy: {labels: [a=b]}", "deploy: {labels: {a: b}}", {"labels": {"a": "b"}}),
    ("deploy: {mode: global}", "deploy: {mode: 'global'}", {"replicas": None}),
    (
        "logging: {driver: syslog, options: {tag: 1}}",
        "logging: {driver: syslog, options: {tag: '1'}}",
        {"logging": Logging(driver="syslog", options={"tag": "1"})},
    ),
    ("privileged: false\ndevices: []", "build: ", {}),
    ("x-anything: {a: 1}", "tty: false", {}),
]


@pytest.mark.parametrize(("one", "other", "expected"), FORMS, ids=[one for one, _, _ in FORMS])
def test_two_forms_of_the_same_are_the_same_values(one: str, other: str, expected: dict[str, Any]) -> None:
    read = service(one)
    assert read == service(other)
    assert {key: getattr(read, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("22:22", "22:22"),
        ("1.10", "1.1"),
        ("0440", "288"),
        ("1_000", "1000"),
        ("~/a", "~/a"),
    ],
)
def test_plain_scalars_are_what_docker_takes_them_for(written: str, value: str) -> None:
    assert service(f"environment: {{A: {written}}}").environment == {"A": value}


VARIABLES: list[tuple[str, str]] = [
    ("${TAG}", "1.2"),
    ("$TAG", "1.2"),
    ("${NONE:-7}", "7"),
    ("${EMPTY:-7}", "7"),
    ("${EMPTY-7}", ""),
    ("${TAG:+set}", "set"),
    ("${NONE:+set}", ""),
    ("$$TAG", "$TAG"),
    ("a${TAG}b$$c", "a1.2b$c"),
]


@pytest.mark.parametrize(("written", "value"), VARIABLES)
def test_variables_are_filled_in_from_the_settings(written: str, value: str) -> None:
    read = service(f"environment: {{A: '{written}'}}", variables={"TAG": "1.2", "EMPTY": ""})
    assert read.environment["A"] == value


def test_what_nobody_reads_needs_no_value_for_its_variables() -> None:
    text = "x-base: &base {user: ${USER}, image: '$'}\nservices: {a: {<<: *base, image: i, user: u}}\n"
    assert read_compose(text.replace("{USER}", "USER")).file.services["a"].user == "u"


def test_a_number_may_come_from_a_variable() -> None:
    assert service("deploy: {replicas: '${N}'}", variables={"N": "3"}).replicas == 3


def test_an_environment_file_is_read_as_it_is_and_the_files_own_values_go_before_it() -> None:
    read = service("env_file: [one.env]\nenvironment: {B: own}", files={"one.env": '# words\nA="1"\n\nB=2\nC=a=b\n'})
    assert read.environment == {"A": '"1"', "B": "own", "C": "a=b"}


def test_every_file_that_a_compose_file_names_is_known_before_it_is_read() -> None:
    text = (
        "services: {a: {image: i, env_file: e}}\nsecrets: {s: {file: ./s}}\nconfigs: {c: {file: c}, d: {content: x}}\n"
    )
    assert files_named(text) == ("e", "./s", "c")


def test_an_external_thing_is_called_as_its_key_or_as_the_file_says() -> None:
    text = (
        "services: {a: {image: i, networks: [one, two, three]}}\n"
        "networks: {one: {external: true}, two: {external: true, name: x}, three: {external: {name: y}}}\n"
    )
    networks = read_compose(text).file.networks
    assert {key: network.name for key, network in networks.items()} == {"one": "one", "two": "x", "three": "y"}
    assert all(network.external for network in networks.values())


def test_anchors_are_merged() -> None:
    text = "x-base: &base {image: i, user: u}\nservices: {a: {<<: *base, user: v}}\n"
    assert read_compose(text).file == ComposeFile(
        services={"a": ComposeService(image="i", user="v")}, networks={"default": ComposeNetwork()}
    )


def test_a_config_may_have_its_content_in_the_file() -> None:
    text = "services: {a: {image: i, configs: [c]}}\nconfigs: {c: {content: 'a: $$x'}}\n"
    assert read_compose(text).file.configs == {"c": ComposeContent(content="a: $x")}
