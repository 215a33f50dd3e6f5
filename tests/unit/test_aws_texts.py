"""What the AWS cloud makes of names: devices, load balancers, descriptions of rules, commands for sessions."""

import re
import subprocess
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.clouds.aws.devices import DEVICE_NAMES, check_devices, device_name
from components.clouds.aws.names import balancer_name, dns_suffix, partition, rule_description
from components.clouds.aws.session import session_commands
from components.plan.errors import PlanError
from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import make_plan

KEYS = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,60}[A-Za-z0-9])?", fullmatch=True)


@given(KEYS)
def test_a_volume_has_a_device_of_its_own_name_alone(volume: str) -> None:
    assert device_name(volume) == device_name(volume)
    assert re.fullmatch("/dev/xvd[bc][a-z]", device_name(volume))


def test_devices_of_volumes_never_move() -> None:
    """A volume that is attached has this name in its attachment: another one would detach it."""
    names = {name: device_name(name) for name in ("spark", "logs", "wordpress-database")}
    assert names == {"spark": "/dev/xvdcr", "logs": "/dev/xvdby", "wordpress-database": "/dev/xvdcx"}


def test_two_volumes_of_a_node_that_would_be_one_device_are_refused_with_a_name_that_is_free() -> None:
    first = "a"
    second = next(f"b{n}" for n in range(1000) if device_name(f"b{n}") == device_name(first))
    check_devices({first: "worker-1", second: "worker-2"})
    with pytest.raises(PlanError) as refusal:
        check_devices({second: "worker-1", first: "worker-1"})
    said = re.fullmatch(
        rf"volumes is '{second}': on worker-1 its device would be {device_name(first)}, which volume a has; "
        r"give the one without data another name, such as (\S+)",
        str(refusal.value),
    )
    assert said
    check_devices({first: "worker-1", said[1]: "worker-1"})


def test_such_volumes_are_refused_before_there_is_anything() -> None:
    second = next(f"b{n}" for n in range(1000) if device_name(f"b{n}") == device_name("a"))
    settings = parse_settings(
        {
            "cloud": "aws",
            "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
            "services": {"web": None, "wordpress": None},
            "volumes": {name: {"node": "worker-1"} for name in ("a", second)},
        }
    )
    with pytest.raises(SettingsError, match=f"volumes is '{second}': on worker-1 its device would be"):
        make_plan("dev", settings)


def test_as_many_volumes_as_there_are_devices_are_never_refused_for_another_reason() -> None:
    by_device: dict[str, str] = {}
    for number in range(5000):
        by_device.setdefault(device_name(f"volume-{number}"), f"volume-{number}")
    assert set(by_device) == set(DEVICE_NAMES)
    check_devices(dict.fromkeys(by_device.values(), "worker-1"))


@given(KEYS, KEYS)
def test_names_of_load_balancers_are_what_the_api_takes(prefix: str, service: str) -> None:
    assert re.fullmatch(
        r"(?!internal-)[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?", balancer_name("f" + prefix, service)
    )


def test_long_names_of_load_balancers_stay_apart() -> None:
    long = "flotilla-production-europe-central"
    assert balancer_name(long, "web", "8080") != balancer_name(long, "web", "8081")
    assert balancer_name("flotilla-dev", "web", "8080") == "flotilla-dev-web-8080"


@given(st.text())
def test_descriptions_hold_what_ec2_takes(why: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}", rule_description(why))


def test_a_description_stays_readable() -> None:
    assert rule_description("HAProxy's statistics") == "HAProxys statistics"
    assert rule_description("VXLAN: traffic of overlay networks") == "VXLAN: traffic of overlay networks"


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("eu-central-1", ("aws", "amazonaws.com")),
        ("cn-north-1", ("aws-cn", "amazonaws.com.cn")),
        ("us-gov-west-1", ("aws-us-gov", "amazonaws.com")),
    ],
)
def test_a_region_is_in_its_part_of_aws(region: str, expected: tuple[str, str]) -> None:
    assert (partition(region), dns_suffix(region)) == expected


AGENT = """
systemctl() { echo "systemctl $*" >&2; [ "$1" = list-unit-files ] && printf '%s' "$UNITS"; return 0; }
curl() { echo "curl $*" >&2; return "$DOWNLOAD"; }
dpkg() { [ "$1" = --print-architecture ] && { echo arm64; return; }; echo "dpkg $*" >&2; }
set -e
"""
"""A machine as far as the commands see it: its units by name, and whether the download works."""


def installed(units: str, download: int) -> tuple[int, list[str]]:
    """Exit code and the tools that ran, as a first boot would run the commands."""
    script = AGENT + "\n".join(session_commands("eu-central-1"))
    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "UNITS": units, "DOWNLOAD": str(download)},
    )
    return done.returncode, done.stderr.splitlines()


def test_a_machine_without_amazons_agent_gets_it_for_its_own_architecture() -> None:
    code, ran = installed(units="", download=0)
    assert code == 0
    assert ran[1].endswith("/latest/debian_arm64/amazon-ssm-agent.deb")
    assert ran[2:] == [
        "dpkg --install /run/amazon-ssm-agent.deb",
        "systemctl enable --now amazon-ssm-agent",
    ]


def test_an_agent_that_the_image_brings_is_left_alone() -> None:
    for unit in ("amazon-ssm-agent.service enabled", "snap.amazon-ssm-agent.amazon-ssm-agent.service enabled"):
        code, ran = installed(units=unit, download=0)
        assert (code, len(ran)) == (0, 1)


def test_a_first_boot_without_the_agent_fails_and_does_not_go_on() -> None:
    code, ran = installed(units="", download=22)
    assert code == 22
    assert not [line for line in ran if line.startswith("dpkg")]


def test_device_names_leave_those_of_images_alone() -> None:
    assert len(DEVICE_NAMES) == 2 * len(ascii_lowercase)
    assert not {"/dev/xvda", "/dev/sda1"} & set(DEVICE_NAMES)
