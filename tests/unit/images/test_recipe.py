"""Tags follow from content, and from nothing else."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from images.recipe import (
    BASE,
    CHILDREN,
    IMAGES_FOLDER,
    PARENTS,
    SERVICES,
    build_context,
    combined_hash,
    content_hash,
    recipes,
    with_parents,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "etc" / "start").write_text("#!/bin/sh\n")
    return tmp_path


def test_a_changed_byte_name_mode_or_parent_changes_the_tag(folder: Path) -> None:
    tags = [content_hash(folder, "base:1"), content_hash(folder, "base:2")]
    (folder / "etc" / "start").chmod(0o755)
    tags.append(content_hash(folder, "base:1"))
    (folder / "Dockerfile").write_text("FROM scratch \n")
    tags.append(content_hash(folder, "base:1"))
    (folder / "etc" / "start").rename(folder / "etc" / "begin")
    tags.append(content_hash(folder, "base:1"))
    assert len(set(tags)) == len(tags)
    assert all(len(tag) == 12 for tag in tags)


def test_a_new_time_another_owner_or_python_s_cache_do_not_change_the_tag(folder: Path) -> None:
    before = content_hash(folder, ""), build_context(folder)
    os.utime(folder / "Dockerfile", (1, 1))
    (folder / "etc" / "start").chmod(0o600)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"\0")
    assert (content_hash(folder, ""), build_context(folder)) == before


def test_bytes_that_move_from_one_file_to_the_next_change_the_tag(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("xy")
    (tmp_path / "b").write_text("z")
    before = content_hash(tmp_path, "")
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("yz")
    assert content_hash(tmp_path, "") != before


def test_the_build_context_keeps_who_may_execute(folder: Path) -> None:
    (folder / "etc" / "start").chmod(0o700)
    with tarfile.open(fileobj=io.BytesIO(build_context(folder))) as archive:
        assert {entry.name: entry.mode for entry in archive} == {"Dockerfile": 0o644, "etc/start": 0o755}


def test_another_base_gives_every_image_another_tag() -> None:
    own, given = recipes(), recipes("debian@sha256:1")
    assert list(own) == [BASE, *CHILDREN]
    assert all(own[name].reference != given[name].reference for name in own)
    assert {own[name].parent for name in CHILDREN} == {own[name].reference for name in (BASE, *PARENTS.values())}


def test_an_image_on_another_than_the_base_is_preceded_by_it() -> None:
    assert with_parents(["spark", "nginx"]) == (BASE, "jre", "nginx", "spark")
    assert with_parents([]) == (BASE,)
    assert with_parents(["registry-service"]) == (BASE, "registry", "registry-service")
    assert recipes()["spark"].parent == recipes()["jre"].reference


def test_a_combined_hash_does_not_depend_on_the_order() -> None:
    assert (
        combined_hash({"a": "1", "b": "2"})
        == combined_hash({"b": "2", "a": "1"})
        != combined_hash({"a": "2", "b": "1"})
    )


WITH_PACKAGES = [name for name in (BASE, *CHILDREN) if "apt-get" in (IMAGES_FOLDER / name / "Dockerfile").read_text()]


@pytest.mark.parametrize("name", WITH_PACKAGES)
def test_every_dockerfile_installs_only_what_it_names_and_leaves_no_package_lists(name: str) -> None:
    text = (IMAGES_FOLDER / name / "Dockerfile").read_text()
    assert "apt-get clean && rm -rf /var/lib/apt/lists/*" in text
    recommends_off = (
        "--no-install-recommends" in text
        or 'Install-Recommends "false"' in (IMAGES_FOLDER / BASE / "apt.conf").read_text()
    )
    assert recommends_off


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_image_takes_a_secret_from_the_environment(name: str) -> None:
    for path in (path for path in (IMAGES_FOLDER / name).rglob("*") if path.is_file()):
        text = path.read_text()
        for word in ("PASSWORD", "SALT"):
            for found in text.split(word)[1:]:
                assert not found.startswith(("}", ":-", "=")), f"{path.name}: {word} without _FILE"


def _scripts() -> list[Path]:
    files = [path for path in IMAGES_FOLDER.rglob("*") if path.is_file() and path.suffix != ".py"]
    return sorted(path for path in files if b"#!/bin/sh" in path.read_bytes()[:10])


@pytest.mark.parametrize("script", _scripts(), ids=lambda path: path.name)
def test_every_script_parses_and_is_executable(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
