"""The machine contract: one user data for every cloud, compared with golden files.

`RENEW_GOLDEN=1 pytest tests/unit/test_machine.py` writes the files again; the difference is for review."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.machine import (
    DAEMON_FILE,
    SYSCTL_FILE,
    EnginePackage,
    EngineSettings,
    MachineSpec,
    UserData,
    check_public_key,
    render_user_data,
)
from components.plan.addresses import plan_addresses
from components.plan.errors import PlanError
from components.plan.sizes import GIB, MIB

GOLDEN = Path(__file__).parent / "golden"
PROJECT = Path(__file__).resolve().parents[2]

BLOB = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
PUBLIC_KEY = f"ssh-ed25519 {BLOB} admin@example"
AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUf0lPdGlsbGE=\n-----END CERTIFICATE-----\n"
# Put together here, so that no scanner takes the test for a leak.
PRIVATE_KEY = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH " + "PRIVATE KEY-----\n"

ENGINE = EngineSettings.of(plan_addresses(), mtu=1500)
LOCAL = UserData(ssh_public_keys=(PUBLIC_KEY,), engine=ENGINE, registry_authorities={"10.60.0.5:5000": AUTHORITY})
INSTALLED = UserData(
    ssh_public_keys=(PUBLIC_KEY, PUBLIC_KEY.replace("admin@example", "second@example")),
    engine=EngineSettings.of(plan_addresses(), mtu=9001, package=EnginePackage()),
    user="admin",
    host_name="worker-1",
)
BESIDE = UserData(ssh_public_keys=(PUBLIC_KEY,), engine=None, user="admin")
CASES = {"local": LOCAL, "installed": INSTALLED, "beside": BESIDE}


def parsed(data: UserData) -> dict[str, Any]:
    return yaml.safe_load(render_user_data(data))


def files(data: UserData) -> dict[str, str]:
    return {file["path"]: file["content"] for file in parsed(data)["write_files"]}


@pytest.mark.parametrize("name", CASES)
def test_user_data_is_as_the_golden_file_says(name: str) -> None:
    path = GOLDEN / f"user-data-{name}.yaml"
    rendered = render_user_data(CASES[name])
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(rendered)
    assert rendered == path.read_text()


@pytest.mark.parametrize("seed", ["0", "1"])
def test_user_data_is_the_same_under_any_hash_seed(seed: str) -> None:
    code = "from tests.unit.test_machine import LOCAL, render_user_data; print(render_user_data(LOCAL), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == render_user_data(LOCAL)


def test_user_data_begins_with_the_line_that_cloud_init_looks_for() -> None:
    assert render_user_data(LOCAL).splitlines()[0] == "#cloud-config"


def test_a_machine_lets_in_the_key_and_no_password() -> None:
    document = parsed(LOCAL)
    assert document["users"] == [{"name": "root", "ssh_authorized_keys": [PUBLIC_KEY]}]
    assert document["ssh_pwauth"] is False
    assert document["disable_root"] is False


def test_a_machine_with_another_user_keeps_root_out() -> None:
    document = parsed(INSTALLED)
    assert [user["name"] for user in document["users"]] == ["admin"]
    assert document["disable_root"] is True


def test_a_host_key_that_was_put_in_before_the_first_boot_stays() -> None:
    assert parsed(LOCAL)["ssh_deletekeys"] is False


def test_no_locale_is_set_since_that_fails_without_the_package() -> None:
    assert parsed(LOCAL)["locale"] == "false"


def test_the_engines_settings_are_json_with_what_the_contract_names() -> None:
    daemon = json.loads(files(LOCAL)[DAEMON_FILE])
    assert daemon == {
        "bip": "172.30.0.1/24",
        "default-address-pools": [{"base": "172.30.128.0/17", "size": 24}],
        "exec-opts": ["native.cgroupdriver=systemd"],
        "log-driver": "local",
        "log-opts": {"max-file": "3", "max-size": "10m"},
        "metrics-addr": "172.30.0.1:9323",
        "mtu": 1500,
        "storage-driver": "overlay2",
    }


def test_live_restore_is_absent_since_swarm_refuses_it() -> None:
    assert "live-restore" not in ENGINE.daemon()


def test_what_is_not_set_is_not_written() -> None:
    daemon = EngineSettings(bridge_address="172.30.0.1/24", address_pools=(), metrics_port=None).daemon()
    assert "mtu" not in daemon
    assert "metrics-addr" not in daemon


def test_each_registrys_authority_is_where_docker_looks_for_it() -> None:
    assert files(LOCAL)["/etc/docker/certs.d/10.60.0.5:5000/ca.crt"] == AUTHORITY


def test_the_order_of_registries_means_nothing() -> None:
    names = ["one.example:5000", "two.example"]
    one, other = (
        UserData(ssh_public_keys=(PUBLIC_KEY,), engine=ENGINE, registry_authorities=dict.fromkeys(order, AUTHORITY))
        for order in (names, names[::-1])
    )
    assert render_user_data(one) == render_user_data(other)


def test_the_kernels_neighbour_table_has_room_for_large_overlays() -> None:
    settings = dict(line.split(" = ") for line in files(LOCAL)[SYSCTL_FILE].splitlines())
    assert int(settings["net.ipv4.neigh.default.gc_thresh3"]) >= 65536
    assert [int(value) for value in settings.values()] == sorted(int(value) for value in settings.values())


def test_the_engine_is_installed_pinned_and_held_only_where_the_image_lacks_it() -> None:
    assert "packages" not in parsed(LOCAL)
    assert not [command for command in parsed(LOCAL)["runcmd"] if "apt" in command]
    document = parsed(INSTALLED)
    assert document["packages"] == ["docker.io"]
    assert "apt-mark hold docker.io" in document["runcmd"]
    pin = files(INSTALLED)["/etc/apt/preferences.d/60-flotilla-engine"]
    assert "Pin: version 20.10.24*\nPin-Priority: 1001" in pin


def test_a_machine_beside_the_swarm_has_nothing_of_docker() -> None:
    assert "docker" not in render_user_data(BESIDE)
    assert "docker" in render_user_data(INSTALLED)


def test_a_failing_command_fails_the_boot() -> None:
    assert parsed(LOCAL)["runcmd"][0] == "set -e"


def test_a_machine_gets_its_nodes_name_where_the_cloud_does_not_give_it() -> None:
    assert parsed(INSTALLED)["hostname"] == "worker-1"
    assert "hostname" not in parsed(LOCAL)


@pytest.mark.parametrize(
    "key",
    [
        PRIVATE_KEY,
        PUBLIC_KEY + "\n" + PRIVATE_KEY,
        "",
        "ssh-ed25519",
        "ssh-ed25519 not-base64!",
        f"ssh-rsa {BLOB}",
        f"ssh-dss {BLOB}",
        f'command="sh" {PUBLIC_KEY}',
        "hunter2",
    ],
)
def test_what_is_no_public_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(PlanError) as refusal:
        UserData(ssh_public_keys=(key,), engine=ENGINE)
    assert str(refusal.value) == (
        f"ssh_public_keys[0] is '{len(key)} characters (not shown)': no OpenSSH public key, and what is not public "
        "must not come near user data; give the line of the .pub file"
    )


@pytest.mark.parametrize(
    "authority", [PRIVATE_KEY, AUTHORITY + PRIVATE_KEY, PRIVATE_KEY + AUTHORITY, "", "hunter2", AUTHORITY + "hunter2"]
)
def test_what_is_not_only_certificates_is_refused_and_not_shown(authority: str) -> None:
    with pytest.raises(PlanError) as refusal:
        UserData(ssh_public_keys=(PUBLIC_KEY,), engine=ENGINE, registry_authorities={"10.60.0.5:5000": authority})
    assert "give blocks of BEGIN CERTIFICATE alone" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    assert "b3BlbnNzaC1rZXk" not in str(refusal.value)


def test_several_certificates_in_one_authority_are_fine() -> None:
    data = UserData(
        ssh_public_keys=(PUBLIC_KEY,), engine=ENGINE, registry_authorities={"registry.example": AUTHORITY * 2}
    )
    assert files(data)["/etc/docker/certs.d/registry.example/ca.crt"] == AUTHORITY * 2


def test_a_swarm_token_anywhere_in_user_data_is_refused() -> None:
    token = "SWMTKN" + "-1-abc"
    engine = EngineSettings(bridge_address=token, address_pools=())
    with pytest.raises(PlanError) as refusal:
        render_user_data(UserData(ssh_public_keys=(PUBLIC_KEY,), engine=engine))
    assert "private key or a swarm token; keep secrets out of settings" in str(refusal.value)
    assert token not in str(refusal.value)


@pytest.mark.parametrize("registry", ["", "https://registry.example", "../../etc", "a b", "registry.example:port"])
def test_a_registry_that_is_no_address_is_refused(registry: str) -> None:
    with pytest.raises(PlanError, match="write host:port, such as"):
        UserData(ssh_public_keys=(PUBLIC_KEY,), engine=ENGINE, registry_authorities={registry: AUTHORITY})


@given(st.text(max_size=60))
def test_random_texts_are_no_public_keys(text: str) -> None:
    with pytest.raises(PlanError):
        check_public_key(text, field="key")


def test_a_machine_that_nobody_could_log_in_to_is_refused() -> None:
    with pytest.raises(
        PlanError, match=r"^ssh_public_keys is \(\): nobody could log in; give at least one public key$"
    ):
        UserData(ssh_public_keys=(), engine=ENGINE)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "node-1"}, "machine is 'node-1': no name of a node; use manager-<number> or worker-<number>"),
        ({"role": "manager"}, "worker-1: role is 'manager': the name says another one; use worker"),
        ({"cpus": 0.0}, "worker-1: cpus is 0.0: too few for a node; use 0.1 or more"),
        (
            {"memory_bytes": 256 * MIB},
            "worker-1: memory is '256m': too little for a node with its Docker engine; use 512m or more",
        ),
        ({"labels": {"zone": "x"}}, "worker-1: label is 'zone': every node gets it by itself; use another name"),
        ({"labels": {"a b": "x"}}, "worker-1: label is 'a b': no name of a label; use letters, digits and . _ / -"),
    ],
)
def test_a_machine_that_cannot_be_a_node_is_refused(wrong: dict[str, Any], message: str) -> None:
    spec: dict[str, Any] = {"name": "worker-1", "role": "worker", "cpus": 1.0, "memory_bytes": GIB, "zone": "local"}
    with pytest.raises(PlanError) as refusal:
        MachineSpec(**{**spec, **wrong})
    assert str(refusal.value) == message


def test_an_mtu_that_overlays_do_not_work_on_is_refused() -> None:
    with pytest.raises(PlanError, match="no MTU that overlay networks work on"):
        EngineSettings.of(plan_addresses(), mtu=500)


def test_an_engine_version_that_is_none_is_refused() -> None:
    with pytest.raises(PlanError, match=r"^engine version is 'latest': no version; write one such as 20\.10\.24$"):
        EnginePackage(version="latest")


@pytest.mark.parametrize("module", ["components.machine", "components.naming", "components.plan.addresses"])
def test_the_plan_imports_no_pulumi(module: str) -> None:
    code = f"import sys, {module}; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
