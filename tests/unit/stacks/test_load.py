"""Settings and files are read in one place, wherever the engine put them."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.config import CONFIG

from stacks.errors import SettingsError
from stacks.load import load, read_settings

MANAGERS = json.dumps({"count": 5})
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


def built(*services: str) -> dict[str, Any]:
    """An entry of images.json for a stack with these service images."""
    return {
        "machine": "flotilla/machine:1",
        "registry": f"flotilla/registry-content:{len(services)}",
        "haproxy": "flotilla/haproxy:1",
        "services": {name: {"digest": f"sha256:{len(services)}", "tag": "1"} for name in services},
    }


SETS = {
    "haproxy,nginx": built("haproxy", "nginx"),
    "nginx": built("nginx"),
    "haproxy,spark": built("haproxy", "spark"),
    "default": built("haproxy", "mariadb", "nginx", "wordpress"),
}
SPARK = {"web": None, "wordpress": None, "spark": {}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with all that `make` puts there."""
    monkeypatch.setattr(pulumi, "get_project", lambda: "flotilla")
    monkeypatch.setenv("PULUMI_CONFIG", "{}")
    work = tmp_path / ".flotilla"
    work.mkdir()
    (work / "images.json").write_text(json.dumps({"sets": SETS}))
    (work / "host.json").write_text(json.dumps({"capabilities": ["CAP_CHOWN"], "architecture": "arm64"}))
    (work / "id_ed25519.pub").write_text(KEY + "\n")
    return tmp_path


def test_settings_come_from_the_environment_of_the_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"flotilla:managers": MANAGERS, "aws:region": "x"}))
    assert read_settings().managers.count == 5


def test_settings_come_from_what_a_unit_test_sets(folder: Path) -> None:
    token = CONFIG.set({"flotilla:managers": MANAGERS})
    try:
        assert read_settings().managers.count == 5
    finally:
        CONFIG.reset(token)


def test_files_become_values(folder: Path) -> None:
    inputs = load("dev", folder)
    assert inputs.ssh_public_key == KEY
    assert inputs.capabilities == ("CAP_CHOWN",)
    assert inputs.images is not None
    assert inputs.images.services["nginx"].architecture == "arm64"
    assert inputs.images.registry == "flotilla/registry-content:4"
    assert inputs.identity_file == str(folder / ".flotilla" / "id_ed25519")


def test_a_stack_takes_the_set_of_images_that_its_products_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"flotilla:services": json.dumps(SPARK)}))
    images = load("spark", folder).images
    assert images is not None
    assert images.registry == "flotilla/registry-content:2"
    assert sorted(images.services) == ["haproxy", "spark"]


def test_a_set_that_was_never_built_is_one_line_with_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"flotilla:services": json.dumps({**SPARK, "web": {}})}))
    with pytest.raises(SettingsError) as refused:
        load("mine", folder)
    assert str(refused.value) == (
        ".flotilla/images.json has no set haproxy, nginx, spark: these images were not built yet; "
        "run `make images STACK=mine`"
    )


def jobs(application: str) -> str:
    spark = {**SPARK, "spark": {"jobs": {"mine": {"application": application}}}}
    return json.dumps({"flotilla:services": json.dumps(spark)})


def test_the_python_file_of_a_job_is_read_and_a_path_in_the_container_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mine.py").write_text("print(1)\n")
    monkeypatch.setenv("PULUMI_CONFIG", jobs("mine.py"))
    assert load("spark", folder).sources == {"mine.py": "print(1)\n"}
    monkeypatch.setenv("PULUMI_CONFIG", jobs("/opt/spark/examples/pi.py"))
    assert load("spark", folder).sources == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory; name a text file, relative to the project folder"),
        (b"\xff", "no text; name a text file, relative to the project folder"),
        (b"#" * 512_001, "more than the 512000 bytes of a Docker config; put it on the volume"),
    ],
)
def test_a_file_that_cannot_be_handed_over_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (folder / "mine.py").write_bytes(content)
    monkeypatch.setenv("PULUMI_CONFIG", jobs("mine.py"))
    with pytest.raises(SettingsError) as refused:
        load("spark", folder)
    assert str(refused.value) == f"services.spark.jobs.mine.application is 'mine.py': {problem}"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("images.json", None, ".flotilla/images.json is missing: no images were built yet; run `make images`"),
        ("host.json", None, ".flotilla/host.json is missing: no images were built yet; run `make images`"),
        (
            "images.json",
            "{",
            ".flotilla/images.json is damaged: it is no JSON or has other fields; run `make images` again",
        ),
        (
            "host.json",
            '{"architecture": "amd64"}',
            ".flotilla/host.json is damaged: it is no JSON or has other fields; run `make images` again",
        ),
        (
            "id_ed25519.pub",
            None,
            "ssh.identity_file is .flotilla/id_ed25519: there is no public key id_ed25519.pub beside it; "
            "run `make identity`, or name a key pair that exists",
        ),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_named(folder: Path, name: str, content: str | None, message: str) -> None:
    path = folder / ".flotilla" / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError) as refused:
        load("dev", folder)
    assert str(refused.value) == message


AWS = {
    "flotilla:cloud": "aws",
    "flotilla:ssh": json.dumps({"access": "session"}),
    "flotilla:registry": json.dumps({"address": "registry.example.com"}),
    "flotilla:services": json.dumps({"wordpress": None}),
}


def rented(monkeypatch: pytest.MonkeyPatch, config: dict[str, str] | None = None, *, preview: bool = False) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({**AWS, **(config or {})}))
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)


def test_a_rented_cloud_asks_nothing_of_the_users_docker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rented(monkeypatch, {"flotilla:images": json.dumps({"haproxy": f"a/haproxy@sha256:{'0' * 64}"})})
    (folder / ".flotilla" / "host.json").unlink()
    inputs = load("production", folder)
    assert inputs.images is None
    assert inputs.service_images["nginx"].digest == "sha256:1"


def test_a_preview_before_anything_was_built_does_not_know_digests(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rented(monkeypatch, preview=True)
    (folder / ".flotilla" / "images.json").unlink()
    assert {name: image.digest for name, image in load("production", folder).service_images.items()} == {
        "nginx": None,
        "haproxy": None,
    }


def test_an_update_needs_the_digests(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rented(monkeypatch)
    (folder / ".flotilla" / "images.json").unlink()
    with pytest.raises(SettingsError, match=r"images\.json is missing: .* run `make images`"):
        load("production", folder)


def test_the_authority_of_the_registry_is_read_from_its_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = json.dumps({"address": "registry.example.com", "authority_file": "authority.pem"})
    rented(monkeypatch, {"flotilla:registry": registry})
    with pytest.raises(SettingsError) as refused:
        load("production", folder)
    assert str(refused.value) == (
        "registry.authority_file is 'authority.pem': No such file or directory; "
        "name a PEM file, relative to the project folder"
    )
    (folder / "authority.pem").write_text("PEM")
    assert load("production", folder).registry_authority == "PEM"
