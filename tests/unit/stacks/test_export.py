"""The way out: what of a state becomes a file, and what is said of the rest."""

from typing import Any

import pytest

from components.services.compose.model import ComposeNetwork, Port
from components.services.compose.read import read_compose
from stacks.export import export, services_of
from stacks.outputs import StackError

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:secret"}
NETWORK = {
    "urn": "urn:net",
    "type": "docker:index/network:Network",
    "id": "n1",
    "inputs": {"name": "web", "driver": "overlay", "options": {"com.docker.network.driver.mtu": "1450"}},
}


def service(**container: Any) -> dict[str, Any]:
    inputs = {
        "name": "web",
        "mode": {"replicated": {"replicas": 3}},
        "taskSpec": {
            "containerSpec": {"image": "nginx@sha256:1", "stopGracePeriod": "90s", **container},
            "networksAdvanceds": [{"id": "n1", "aliases": ["www"]}],
        },
        "endpointSpec": {"mode": "vip", "ports": [{"targetPort": 80, "publishedPort": 8080, "publishMode": "ingress"}]},
        "convergeConfig": {"timeout": "5m"},
    }
    return {"urn": "urn:web", "type": "docker:index/service:Service", "id": "s1", "inputs": inputs}


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"version": 3, "deployment": {"resources": list(resources)}}


def test_a_service_is_written_with_its_network_and_ports() -> None:
    text, notes = export(state(NETWORK, service()), "dev")
    assert notes == ()
    assert text.startswith("# The services of stack dev. On a manager: docker stack deploy -c FILE NAME\n")
    file = read_compose(text).file
    web = file.services["web"]
    assert (web.replicas, web.stop_grace_period, web.networks) == (3, "1m30s", {"web": ("www",)})
    assert web.ports == (Port(target=80, published=8080),)
    assert file.networks == {"web": ComposeNetwork(mtu=1450)}


def test_a_secret_value_is_left_out_and_said() -> None:
    text, notes = export(state(NETWORK, service(env={"TOKEN": SECRET, "MODE": "on"})), "dev")
    assert notes == ("services.web.taskSpec.containerSpec.env.TOKEN: a secret, left out; give it as a Docker secret",)
    assert read_compose(text).file.services["web"].environment == {"MODE": "on"}
    assert "v1:secret" not in text


def test_what_a_compose_file_cannot_say_is_said() -> None:
    job = {"urn": "urn:x::pi", "type": "swarm:index:Job", "id": "j1", "inputs": {}}
    admission = {"urn": "urn:x::node-1", "type": "swarm:index:Admission", "id": "a1", "inputs": {}}
    _, notes = export(state(NETWORK, service(privileges={"seLinuxContext": {}}), job, admission), "dev")
    assert notes == (
        "services.web.taskSpec.containerSpec.privileges: a Compose file cannot say it; left out",
        "pi: a job, which no Compose file can say",
        "node-1: errands of a member, which no Compose file can say",
    )


def test_the_label_of_a_stack_is_left_to_docker_and_others_stay() -> None:
    labels = [{"label": "com.docker.stack.namespace", "value": "blog"}, {"label": "tier", "value": "front"}]
    web = services_of([NETWORK, service(labels=labels)]).file.services["web"]
    assert web.container_labels == {"tier": "front"}


def test_what_a_refresh_writes_for_nothing_is_not_said() -> None:
    refreshed = service(isolation="default", privileges=None, hostname="", mounts=[], sysctl={})
    refreshed["inputs"]["taskSpec"] |= {"forceUpdate": 0, "runtime": "container"}
    assert export(state(NETWORK, refreshed), "dev") == export(state(NETWORK, service()), "dev")


def test_a_network_that_the_stack_did_not_make_is_external() -> None:
    file = services_of([service()]).file
    assert file.networks == {"n1": ComposeNetwork(name="n1", external=True)}


def test_what_is_about_to_be_deleted_is_not_written() -> None:
    assert services_of([NETWORK, {**service(), "delete": True}]).file.services == {}


@pytest.mark.parametrize("empty", [state(), {"version": 3, "deployment": None}, state(NETWORK)])
def test_a_stack_without_services_is_one_line(empty: dict[str, Any]) -> None:
    with pytest.raises(StackError, match="stack dev has no services; run `make up STACK=dev` first"):
        export(empty, "dev")
