"""Bad Compose files, one line of the table each: what the user wrote and the one line that he reads."""

import pytest

from components.services.compose.bundle import read_bundle
from components.services.compose.model import ComposeError
from components.services.compose.read import read_compose

FILES: list[tuple[str, str]] = [
    ("services: {a: {image: i", "no YAML: while parsing a flow mapping"),
    ("- a", "no Compose file: write a mapping with the key services"),
    ("services: {a: {image: i}}\nservices: {}", "no YAML: line 1: services is there twice"),
    ("version: '3'", "services is None: a stack has at least one; name one; a file of version 1 has no such key"),
    (
        "web: {image: i}",
        "web is {'image': 'i'}: no key of a Compose file here; use one of configs, networks, secrets, ",
    ),
    ("version: '4'\nservices: {a: {image: i}}", "version is '4': not a version that is read here; use 3.8, or none"),
    ("services: [a]", "services is ['a']: no mapping; write keys and values"),
    ("services: {a: i}", "services.a is 'i': no mapping; write keys and values"),
    ("services: {-a: {image: i}}", "services is '-a': no usable name; use letters, digits and . _ - in between"),
    (
        "networks: {n: {driver: bridge}}",
        "networks.n.driver is 'bridge': a network of a swarm is an overlay; use overlay, or",
    ),
    (
        "networks: {n: {driver_opts: {parent: eth0}}}",
        "networks.n.driver_opts is 'parent': an overlay of Flotilla has no such option; use encrypted or com.docker.",
    ),
    (
        "volumes: {v: {driver: nfs}}",
        "volumes.v.driver is 'nfs': Docker on the nodes has no other driver; use local, or",
    ),
    ("secrets: {s: {}}", "secrets.s is None: not one source for its content; say file or external"),
    (
        "secrets: {s: {file: a, external: true}}",
        "secrets.s is None: not one source for its content; say file or external",
    ),
    ("secrets: {s: {content: hunter2}}", "secrets.s.content is '(not shown)': a secret that anyone reads who reads"),
    ("configs: {c: {file: a, content: b}}", "configs.c is None: not one source for its content; say file, content or"),
    ("configs: {c: {file: a, name: b}}", "configs.c.name is 'b': its name changes with its content, so that a change"),
]

SERVICES: list[tuple[str, str]] = [
    ("build: .", "image is None: missing: a swarm runs images and builds none; push the image and name it"),
    ("image: ", "image is None: missing: a swarm runs images and builds none; push the image and name it"),
    (
        "image: i\nprivileged: true",
        "privileged is True: a swarm service has no such field; name what it needs as cap_add",
    ),
    (
        "image: i\nlinks: ['db:mysql']",
        "links is 'db:mysql': a swarm has no links; say mysql under aliases of a network",
    ),
    (
        "image: i\nports: ['127.0.0.1:80:80']",
        "ports is '127.0.0.1:80:80': a swarm publishes on every address of a node; ",
    ),
    ("image: i\nports: ['http']", "ports is 'http': no port; write published:target, such as 8080:80"),
    ("image: i\nports: ['70000:80']", "ports is '70000:80': no port; use 1 to 65535"),
    ("image: i\nports: ['80-81:80']", "ports is '80-81:80': ranges of two lengths; make both equally long"),
    ("image: i\nports: ['81-80:81-80']", "ports is '81-80:81-80': a range that ends before it begins; turn it round"),
    ("image: i\nports: ['80:80/sctp']", "ports is 'sctp': not one that a swarm knows; use tcp or udp"),
    ("image: i\nports: [{published: 80}]", "ports.target is None: missing; say it"),
    ("image: i\nports: 80", "ports is 80: no list; write one, with - before each item"),
    ("image: i\nenvironment: [A]", "environment is 'A': has no value, and the program reads no environment; write its"),
    ("image: i\nenvironment: {A: true}", "environment.A is True: no text; write a text, in quotes where it looks like"),
    (
        "image: i\nenvironment: {A: '${B}'}",
        "environment.A is '${B}': variable B has no value; give it under variables, or",
    ),
    (
        "image: i\nenvironment: {A: '${B:?say B}'}",
        "environment.A is '${B:?say B}': variable B has no value (say B); give",
    ),
    ("image: i\nenvironment: {A: a$}", "environment.A is 'a$': $ begins no variable; write $$ for a plain $"),
    ("image: i\nenv_file: e", "env_file is 'e': not there; name a file, relative to the Compose file"),
    (
        'image: i\ncommand: "sh -c \'a"',
        'command is "sh -c \'a": no command (No closing quotation); close the quotation,',
    ),
    (
        "image: i\ncommand: []",
        "command is []: an empty command leaves the image's own; leave it out, or name a command",
    ),
    (
        "image: i\nvolumes: ['data:d']",
        "volumes is 'd': no absolute path in the container; write one that begins with /",
    ),
    ("image: i\nvolumes: ['data:/d']", "volumes is 'data': the file declares no such thing; name it under volumes"),
    ("image: i\nvolumes: ['/d:/d:z']", "volumes is '/d:/d:z': a swarm has no option z for it; use ro or rw"),
    (
        "image: i\nvolumes: [{type: npipe, target: /d}]",
        "volumes.type is 'npipe': not one that a swarm knows; use volume",
    ),
    ("image: i\nvolumes: [{type: bind, target: /d}]", "volumes is '/d': a bind without a source; say source"),
    ("image: i\nvolumes: [{type: tmpfs, target: /d, source: x}]", "volumes is 'x': memory has no source; leave source"),
    ("image: i\ntmpfs: /d:size=1m", "tmpfs is '/d:size=1m': a path with options; use the long form of volumes: type"),
    ("image: i\nnetworks: [back]", "networks is 'back': the file declares no such thing; name it under networks"),
    ("image: i\nsecrets: [s]", "secrets is 's': the file declares no such thing; name it under secrets"),
    ("image: i\nconfigs: [c]", "configs is 'c': the file declares no such thing; name it under configs"),
    ("image: i\nsecrets: [{target: s}]", "secrets.source is None: missing; say it"),
    ("image: i\nstop_grace_period: 5", "stop_grace_period is '5': no duration; write numbers with units, such as 10s"),
    ("image: i\nrestart: sometimes", "restart is 'sometimes': no restart policy; use deploy.restart_policy.condition"),
    (
        "image: i\nmem_limit: 1m",
        "mem_limit is 1048576: bytes, and less than the 4 MiB that a task needs at least; use 4m",
    ),
    ("image: i\ncpus: many", "cpus is 'many': no number; write one, such as 0.5"),
    ("image: i\ncpus: 0", "cpus is 0.0: less than the 0.001 CPUs that a task needs at least; use 0.1 or more, or"),
    ("image: i\nplatform: arm", "platform is 'arm': no platform; write linux/amd64 or linux/arm64"),
    ("image: i\nextra_hosts: [a]", "extra_hosts is 'a': no name with an address; write name:address"),
    (
        "image: i\nhealthcheck: {test: []}",
        "healthcheck.test is '': not one that a swarm knows; use CMD or CMD-SHELL or",
    ),
    (
        "image: i\nhealthcheck: {test: [CMD]}",
        "healthcheck.test is 'CMD': no command after it; write the command, or NONE",
    ),
    (
        "image: i\nhealthcheck: {test: [CMD-SHELL, a, b]}",
        "healthcheck.test is ['CMD-SHELL', 'a', 'b']: a shell takes one",
    ),
    (
        "image: i\nhealthcheck: {retries: 3}",
        "healthcheck is 'without a test': the image's own cannot be timed alone; say",
    ),
    (
        "image: i\nhealthcheck: {test: a, start_interval: 1s}",
        "healthcheck.start_interval is '1s': a swarm knows it, but",
    ),
    ("image: i\nlogging: {options: {a: b}}", "logging is 'without a driver': options belong to one; say driver"),
    ("image: i\ndeploy: {mode: replicated-job}", "deploy.mode is 'replicated-job': not one that a swarm knows; use"),
    (
        "image: i\ndeploy: {mode: global, replicas: 2}",
        "deploy.replicas is 2: mode is global: one task a node; leave it out",
    ),
    ("image: i\ndeploy: {replicas: -1}", "deploy.replicas is -1: no whole number; write one, 0 or more"),
    ("image: i\nscale: 2\ndeploy: {replicas: 3}", "scale is 2: deploy.replicas is 3; say one of them"),
    (
        "image: i\ncpus: 1\ndeploy: {resources: {limits: {cpus: 2}}}",
        "cpus is 1.0: services.a.deploy.resources.limits.cpus",
    ),
    (
        "image: i\nmem_limit: 8m\ndeploy: {resources: {limits: {memory: 9m}}}",
        "mem_limit is 8388608: services.a.deploy.res",
    ),
    (
        "image: i\ndeploy: {placement: {constraints: [node.type == mvc]}}",
        "deploy.placement.constraints is 'node.type == mvc': node.type is no constraint key and would never match; use",
    ),
    (
        "image: i\ndeploy: {placement: {preferences: [{binpack: a}]}}",
        "deploy.placement.preferences is ['binpack']: a swarm",
    ),
    (
        "image: i\ndeploy: {resources: {limits: {pids: 9}}}",
        "deploy.resources.limits.pids is 9: a swarm knows it, but the",
    ),
    (
        "image: i\ndeploy: {update_config: {order: random}}",
        "deploy.update_config.order is 'random': not one that a swarm",
    ),
    (
        "image: i\ndeploy: {update_config: {max_failure_ratio: 0.25}}",
        "deploy.update_config.max_failure_ratio is 0.25: not in",
    ),
    (
        "image: i\ndeploy: {rollback_config: {failure_action: rollback}}",
        "deploy.rollback_config.failure_action is 'rollback'",
    ),
    ("image: i\nread_only: perhaps", "read_only is 'perhaps': neither true nor false; write true or false"),
    (
        "image: i\ncolour: blue",
        "colour is 'blue': no key of a Compose file here; use one of cap_add, cap_drop, command, ",
    ),
]

BUNDLES: list[tuple[str, str]] = [
    ("{", "no JSON: Expecting property name enclosed in double quotes"),
    ("[]", "no bundle: write an object with Version and Services"),
    (
        '{"Version": "0.2", "Services": {"a": {"Image": "i"}}}',
        "Version is '0.2': no version of a bundle that is read here",
    ),
    ('{"Version": "0.1"}', "Services is None: a stack has at least one; name one"),
    ('{"Version": "0.1", "Services": {"a": {}}}', "Services.a.Image is None: missing; say it"),
    (
        '{"Version": "0.1", "Services": {"a": {"Image": "i", "Mounts": 1}}}',
        "Services.a.Mounts is 1: no key of a Compose",
    ),
    (
        '{"Version": "0.1", "Services": {"a": {"Image": "i", "Ports": [{"Port": 0}]}}}',
        "Services.a.Ports.Port is 0: no port; use",
    ),
]


def lines(text: str) -> list[str]:
    with pytest.raises(ComposeError) as refused:
        read_compose(text)
    return str(refused.value).splitlines()


@pytest.mark.parametrize(("text", "message"), FILES, ids=[text[:50] for text, _ in FILES])
def test_a_bad_file_is_refused_with_one_line_that_names_field_value_and_fix(text: str, message: str) -> None:
    if "services" not in text and "version" not in text and ":" in text and "web" not in text:
        text += "\nservices: {a: {image: i}}"
    (line,) = lines(text)
    assert line.startswith(message)
    assert "hunter2" not in line


@pytest.mark.parametrize(("written", "message"), SERVICES, ids=[written[:50] for written, _ in SERVICES])
def test_a_bad_service_is_refused_with_one_line_that_names_field_value_and_fix(written: str, message: str) -> None:
    body = "".join(f"    {line}\n" for line in written.splitlines())
    (line,) = lines(f"services:\n  a:\n{body}")
    assert line.startswith("services.a.")
    assert line.removeprefix("services.a.").startswith(message)


@pytest.mark.parametrize(("text", "message"), BUNDLES, ids=[message[:40] for _, message in BUNDLES])
def test_a_bad_bundle_is_refused_with_the_line_first_that_names_field_value_and_fix(text: str, message: str) -> None:
    with pytest.raises(ComposeError) as refused:
        read_bundle(text)
    assert str(refused.value).splitlines()[0].startswith(message)


def test_all_that_is_in_the_way_is_said_at_once() -> None:
    text = "services:\n  a: {image: i, privileged: true, ports: [x]}\n  b: {image: i, networks: [n]}\n"
    assert [line.partition(" is ")[0] for line in lines(text)] == [
        "services.a.privileged",
        "services.a.ports",
        "services.b.networks",
    ]


def test_the_table_is_long_and_has_no_case_twice() -> None:
    written = [text for text, _ in (*FILES, *SERVICES, *BUNDLES)]
    assert len(written) == len(set(written)) >= 75
