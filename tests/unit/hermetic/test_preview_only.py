"""Clouds that the engine can only preview: what is shown, and what is refused before anything is done."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from hermetic.operations import refusal
from hermetic.plugins import PluginHost
from hermetic.provider_client import PluginError

ROOT = Path(__file__).parents[3]
DEADLINE = 120.0
REFUSED = (
    "error: this engine can preview stack test but not {does} it: it has no plugin for aws; install the Pulumi CLI"
)
RECORDED = "ami-0123456789abcdef0 is only an example"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

pytestmark = pytest.mark.slow

RANDOM = "import pulumi, pulumi_random\npulumi_random.RandomPassword('first', length=8)\n"
PROGRAM = """
import pulumi
import pulumi_aws as aws
provider = aws.Provider("aws", region="eu-central-1")
parent = pulumi.ResourceOptions(provider=provider)
vpc = aws.ec2.Vpc("vpc", cidr_block="{cidr}", tags={{"a": "{tag}"}}, opts=parent)
for number in range(2):
    image = aws.ssm.get_parameter_output(
        name="/aws/service/debian/release/12/latest/amd64", opts=pulumi.InvokeOutputOptions(provider=provider)
    )
    subnet = aws.ec2.Subnet(f"subnet-{{number}}", vpc_id=vpc.id, cidr_block="10.0.0.0/24", opts=parent)
    aws.ec2.Instance(f"machine-{{number}}", ami=image.insecure_value, subnet_id=subnet.id, opts=parent)
pulumi.export("cidr", vpc.cidr_block)
pulumi.export("id", vpc.id)
"""


@dataclass
class Stack:
    """A stack `test` of a project `small`, whose environment has no account and no plugin."""

    folder: Path

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        kept = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
        return subprocess.run(
            [str(ROOT / "bin/hermetic"), *argv],
            cwd=self.folder / "work",
            env=kept
            | {
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
                "PULUMI_CONFIG_PASSPHRASE": "open sesame",
                "PULUMI_STACK": "test",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def write(self, program: str) -> None:
        (self.folder / "work/__main__.py").write_text(program, encoding="utf-8")

    def resources(self) -> list[dict[str, Any]]:
        return json.loads(self.run("stack", "export").stdout)["deployment"].get("resources") or []

    def preview(self) -> dict[str, Any]:
        done = self.run("preview", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def steps_of(self, name: str) -> list[dict[str, Any]]:
        """What a preview would do to one resource."""
        return [step for step in self.preview()["steps"] if step["urn"].endswith(f"::{name}")]

    def made_with_the_cli(self) -> None:
        """As if `pulumi up` had made the VPC of PROGRAM in an account."""
        prefix = "urn:pulumi:test::small::"
        root, provider = f"{prefix}pulumi:pulumi:Stack::small-test", f"{prefix}pulumi:providers:aws::aws"
        instance = "0b1d7a5e-0000-4000-8000-000000000000"
        inputs = {"__defaults": [], "cidrBlock": "10.0.0.0/16", "tags": {"__defaults": [], "a": "b"}}
        outputs = {
            "cidrBlock": "10.0.0.0/16",
            "tags": {"a": "b"},
            "arn": "arn:1",
            "id": "vpc-1",
            "enableDnsSupport": True,
        }
        configuration = {"region": "eu-central-1", "version": metadata.version("pulumi-aws")}
        resources = [
            {"urn": root, "custom": False, "type": "pulumi:pulumi:Stack"},
            {
                "urn": provider, "custom": True, "id": instance, "type": "pulumi:providers:aws", "parent": root,
                "inputs": configuration, "outputs": configuration,
            },
            {
                "urn": f"{prefix}aws:ec2/vpc:Vpc::vpc", "custom": True, "id": "vpc-1", "type": "aws:ec2/vpc:Vpc",
                "inputs": inputs, "outputs": outputs, "parent": root, "provider": f"{provider}::{instance}",
            },
        ]  # fmt: skip
        version = "v3.260.0"
        magic = hashlib.sha256(version.encode()).hexdigest()
        manifest = {"time": "2026-11-28T00:00:00Z", "magic": magic, "version": version}
        document = {"version": 3, "deployment": {"manifest": manifest, "resources": resources}}
        (self.folder / "state.json").write_text(json.dumps(document))
        done = self.run("stack", "import", "--file", str(self.folder / "state.json"))
        assert done.returncode == 0, done.stderr


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    for name in ("work", "state"):
        (tmp_path / name).mkdir()
    (tmp_path / "work/Pulumi.yaml").write_text("name: small\nruntime: {name: python}\n", encoding="utf-8")
    made = Stack(tmp_path)
    made.write("")
    done = made.run("stack", "init", "test")
    assert done.returncode == 0, done.stderr
    return made


def errors_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 255, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    text = done.stdout.partition("Diagnostics:")[2] + done.stderr
    return [line.strip() for line in text.splitlines() if "error: " in line]


# -- previews
def test_a_first_preview_shows_everything_and_says_what_is_recorded(stack: Stack) -> None:
    stack.write(PROGRAM.format(cidr="10.0.0.0/16", tag="b"))
    done = stack.run("preview")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+ 7 to create" in done.stdout
    assert 'cidr: "10.0.0.0/16"' in done.stdout
    assert "id: [unknown]" in done.stdout
    # Asked for twice, and said once.
    assert done.stdout.partition("Diagnostics:")[2].count(RECORDED) == 1
    assert stack.resources() == []


def test_a_preview_of_what_the_cli_made_shows_updates_and_replacements(stack: Stack) -> None:
    stack.made_with_the_cli()
    stack.write(PROGRAM.format(cidr="10.0.0.0/16", tag="b"))
    assert stack.steps_of("vpc") == []
    stack.write(PROGRAM.format(cidr="10.0.0.0/16", tag="c"))
    (updated,) = stack.steps_of("vpc")
    assert (updated["op"], updated["diffReasons"]) == ("update", ["tags"])
    stack.write(PROGRAM.format(cidr="10.1.0.0/16", tag="b"))
    (replaced,) = stack.steps_of("vpc")
    assert (replaced["op"], replaced["replaceReasons"]) == ("replace", ["cidrBlock"])
    stack.write("import pulumi")
    assert [step["op"] for step in stack.steps_of("vpc")] == ["delete"]


def test_a_wrong_property_fails_the_preview_and_is_named(stack: Stack) -> None:
    program = "import pulumi\npulumi.CustomResource('aws:ec2/vpc:Vpc', 'vpc', {'cidr': '10.0.0.0/16'})\n"
    stack.write(program)
    (line,) = errors_of(stack.run("preview"))
    assert "Invalid or unknown key. Examine values at 'vpc.cidr'." in line


def test_an_existing_object_cannot_be_looked_at(stack: Stack) -> None:
    stack.write("import pulumi_aws as aws\naws.ec2.Vpc.get('vpc', 'vpc-1')\n")
    (line,) = errors_of(stack.run("preview"))
    assert "vpc cannot be read: this engine has no plugin for aws" in line


# -- refusals
@pytest.mark.parametrize("flags", [("--yes", "--skip-preview"), ("--yes",)])
def test_up_is_refused_before_anything_is_made(stack: Stack, flags: tuple[str, ...]) -> None:
    stack.write(RANDOM + PROGRAM.format(cidr="10.0.0.0/16", tag="b"))
    (line,) = errors_of(stack.run("up", *flags))
    assert line.startswith(REFUSED.format(does="change"))
    assert line.endswith("run `make up STACK=test`")
    assert [each["type"] for each in stack.resources() if each["type"] != "pulumi:pulumi:Stack"] == []


@pytest.mark.parametrize(
    ("words", "does", "command"),
    [
        (("up", "--yes", "--skip-preview"), "change", "make up STACK=test"),
        (("refresh", "--yes", "--skip-preview"), "refresh", "make refresh STACK=test"),
        (("destroy", "--yes"), "destroy", "make down STACK=test"),
        (("preview", "--refresh"), "refresh", "make preview STACK=test ARGS=--refresh"),
    ],
)
def test_what_the_cli_made_is_left_alone(stack: Stack, words: tuple[str, ...], does: str, command: str) -> None:
    stack.made_with_the_cli()
    # Not even the program is asked: the state says it.
    stack.write("import nosuchmodule")
    before = stack.resources()
    done = stack.run(*words)
    assert done.returncode == 255
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(REFUSED.format(does=does))
    assert line.endswith(f"run `{command}`")
    assert stack.resources() == before


def test_a_program_that_only_imports_the_package_is_not_refused(stack: Stack) -> None:
    component = "pulumi.ComponentResource('aws:own:Component', 'component')\n"
    stack.write("import pulumi_aws\n" + RANDOM + component)
    done = stack.run("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "random:index/randomPassword:RandomPassword" in {each["type"] for each in stack.resources()}


def test_a_plugin_that_the_project_names_is_used_for_everything(stack: Stack) -> None:
    stack.write(PROGRAM.format(cidr="10.0.0.0/16", tag="b"))
    plugin = stack.folder / "pulumi-resource-aws"
    plugin.write_text("#!/bin/sh\necho the real one >&2\nexit 3\n")
    plugin.chmod(0o755)
    with (stack.folder / "work/Pulumi.yaml").open("a") as file:
        file.write("plugins:\n  providers:\n    - {name: aws, path: ..}\n")
    for words in (("preview",), ("up", "--yes", "--skip-preview")):
        done = stack.run(*words)
        assert done.returncode == 255
        assert "plugin aws does not start: it ended (exit code 3)" in done.stdout
        assert "can preview stack" not in done.stdout + done.stderr


def test_a_refused_package_is_not_started_whoever_asks_for_it(tmp_path: Path) -> None:
    words = refusal("up", "production", "openstack")
    host = PluginHost(
        project_folder=tmp_path,
        program_folder=tmp_path,
        paths={},
        virtualenv=None,
        report=lambda _plugin, _line: None,
        refusals={"openstack": words},
    )
    with pytest.raises(PluginError) as caught:
        host.start("openstack")
    assert str(caught.value) == words
    assert "this engine can preview stack production but not change it" in words


# -- the platform itself
PLATFORMS = {
    "aws": """
  flotilla:ssh: {access: bastion, admin_networks: ["203.0.113.0/24"], identity_file: key}
  flotilla:workers: {count: 6}
""",
    "aws-pool": """
  flotilla:ssh: {access: session, identity_file: key}
  flotilla:workers: {count: 6, pool: true}
  flotilla:services: {web: {}, wordpress: {database_node: manager-1}}
""",
    "openstack": """
  flotilla:ssh: {access: direct, admin_networks: ["203.0.113.0/24"], identity_file: key}
  flotilla:workers: {count: 6}
  flotilla:openstack: {boot_volume: {size: 20g}}
""",
}


@pytest.mark.parametrize("name", sorted(PLATFORMS))
def test_the_platform_is_previewed_without_account_plugin_and_daemon(stack: Stack, name: str) -> None:
    work = stack.folder / "work"
    for part in ("Pulumi.yaml", "__main__.py"):
        shutil.copy2(ROOT / part, work / part)
    for part in ("stacks", "components", "plugins", "images"):
        shutil.copytree(ROOT / part, work / part, ignore=shutil.ignore_patterns("__pycache__"))
    (work / ".venv").symlink_to(ROOT / ".venv")
    (work / "key.pub").write_text(KEY)
    (work / "Pulumi.test.yaml").write_text(
        'config:\n  pulumi:disable-default-providers: ["*"]\n'
        f"  flotilla:cloud: {name.partition('-')[0]}\n"
        f"  flotilla:registry: {{address: registry.example.com}}{PLATFORMS[name]}"
    )
    assert stack.run("stack", "init", "test").returncode == 0
    plan = stack.preview()
    assert set(plan["changeSummary"]) == {"create"}
    assert plan["changeSummary"]["create"] > 100
    kinds = {step["newState"]["type"] for step in plan["steps"]}
    assert {"swarm:index:Cluster", "docker:index/service:Service"} <= kinds
    warnings = [
        each["message"] for each in plan["diagnostics"] if "is answered from data recorded on" in each["message"]
    ]
    assert len(warnings) == {"aws": 1, "aws-pool": 2, "openstack": 2}[name]
