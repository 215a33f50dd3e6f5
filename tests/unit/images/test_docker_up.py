"""bin/docker-up on systems that only exist as commands of the same names: what it asks of them, and what it says."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).resolve().parents[3] / "bin" / "docker-up"
_REAL = ("cat", "sleep", "env", "tail", "touch", "sh")
_PRESENT = ("ssh-keygen", "mmdebstrap", "newuidmap", "apparmor_parser")


@dataclass(frozen=True, kw_only=True)
class System:
    """A folder of commands that is the whole PATH, a log of calls, and a mark while the engine is up. No command is a
    link: to replace it would write into the real one."""

    folder: Path

    def command(self, name: str, body: str = "exit 0") -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.folder}/.calls"\n{body}\n')
        path.chmod(0o755)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink()

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shutil.which("sh") or "/bin/sh", _SCRIPT, *words],
            env={"PATH": str(self.folder), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        log = self.folder / ".calls"
        return log.read_text().splitlines() if log.exists() else []

    def called(self, name: str) -> list[str]:
        return [call for call in self.calls if call.split()[0] == name]

    @property
    def up(self) -> Path:
        return self.folder / ".up"


@pytest.fixture
def system(tmp_path: Path) -> System:
    """A Debian without systemd, where root works, everything is installed and no engine runs."""
    system = System(folder=tmp_path)
    for name in _REAL:
        if (path := shutil.which(name)) is not None:
            system.command(name, f'exec {path} "$@"')
    for name in (*_PRESENT, "apt-get", "usermod", "chown"):
        system.command(name)
    system.command("apt-cache", "echo '  Candidate: 1.0'")
    # With "-" it is the question whether an engine answers, with "-c" whether venv is there.
    system.command("python3", f'[ "$1" != - ] || [ -e {system.up} ] || exit 1')
    system.command("id", "case $1 in -u) echo 0 ;; *) echo root ;; esac")
    system.command("dockerd", f"touch {system.up}")
    system.command("setsid", '"$@"')
    return system


def test_a_running_engine_is_used_as_it_is_without_a_word(system: System) -> None:
    system.up.touch()
    done = system.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not system.called("apt-get")
    assert not system.called("dockerd")


def test_without_systemd_dockerd_is_started_with_a_pid_file_and_a_log(system: System) -> None:
    # The log is the system's own, which no test writes to: the shell that would is replaced.
    system.command("sh", f"case $2 in *dockerd*) touch {system.up} ;; esac")
    done = system.run()
    assert done.returncode == 0, done.stderr
    assert "starting dockerd (log /var/log/dockerd.log, pid file /var/run/docker.pid)" in done.stderr
    started = system.called("sh")[0]
    assert "setsid dockerd --pidfile /var/run/docker.pid >>/var/log/dockerd.log" in started
    assert not system.called("apt-get")


def test_with_systemd_the_unit_is_started(system: System) -> None:
    system.command("systemctl", f'[ "$1" = is-system-running ] && echo degraded && exit 1; touch {system.up}')
    done = system.run()
    assert done.returncode == 0, done.stderr
    assert "systemctl enable --quiet --now docker" in system.calls
    assert not system.called("dockerd")


def test_everything_that_is_missing_is_installed_in_one_call_without_questions(system: System) -> None:
    system.remove("dockerd", "ssh-keygen", "mmdebstrap")
    system.command("python3", f'[ "$1" != -c ] || exit 1; [ "$1" != - ] || [ -e {system.up} ] || exit 1')
    system.command("apt-get", f'echo "$DEBIAN_FRONTEND" >{system.folder}/.frontend; touch {system.up}')
    done = system.run()
    assert done.returncode == 0, done.stderr
    (call,) = system.called("apt-get")
    assert call.startswith("apt-get install -qq -y --no-install-recommends ")
    assert {"docker.io", "openssh-client", "mmdebstrap", "python3-venv"} <= set(call.split())
    assert (system.folder / ".frontend").read_text() == "noninteractive\n"
    assert not system.called("systemctl")
    assert "installing docker.io openssh-client python3-venv mmdebstrap" in done.stderr


def test_maven_is_installed_when_an_image_needs_it_and_it_is_missing_and_not_else(system: System) -> None:
    system.up.touch()
    assert system.run().returncode == 0
    assert not system.called("apt-get")
    assert system.run("maven").returncode == 0
    (call,) = system.called("apt-get")
    assert call.endswith(" maven")
    system.command("mvn")
    assert system.run("maven").returncode == 0
    assert len(system.called("apt-get")) == 1
    done = system.run("gradle")
    assert (done.returncode, done.stderr) == (
        1,
        "docker-up: error: 'gradle' is nothing that an image needs: use maven\n",
    )


def test_an_engine_that_the_package_started_is_not_started_again(system: System) -> None:
    system.remove("dockerd")
    system.command("apt-get", f"touch {system.up}")
    assert system.run().returncode == 0
    assert not system.called("setsid")


def test_package_lists_are_fetched_only_when_they_do_not_know_a_package(system: System) -> None:
    system.up.touch()
    system.remove("mmdebstrap", "ssh-keygen")
    system.command("apt-cache", "[ $2 = mmdebstrap ] || echo '  Candidate: 1.0'")
    assert system.run().returncode == 0
    assert [call.split()[1] for call in system.called("apt-get")] == ["update", "install"]


def test_package_lists_are_fetched_when_a_version_is_gone(system: System) -> None:
    system.up.touch()
    system.remove("mmdebstrap")
    mark = system.folder / ".updated"
    system.command("apt-get", f"case $1 in update) touch {mark} ;; *) [ -e {mark} ] || exit 100 ;; esac")
    assert system.run().returncode == 0
    assert [call.split()[1] for call in system.called("apt-get")] == ["install", "update", "install"]


def test_with_an_own_base_image_mmdebstrap_is_not_needed(system: System) -> None:
    system.up.touch()
    system.remove("mmdebstrap")
    assert system.run(FLOTILLA_BASE_IMAGE="debian:bookworm-slim").returncode == 0
    assert not system.called("apt-get")


def test_sudo_is_used_by_who_is_not_root_and_docker_is_opened_to_them(system: System) -> None:
    forbidden = system.folder / ".forbidden"
    system.command("python3", f'[ "$1" != - ] || [ -e {system.up} ] || exit 1; [ ! -e {forbidden} ] || exit 2')
    system.command("id", "case $1 in -u) echo 1000 ;; *) echo ada ;; esac")
    system.command("sudo", '"$@"')
    system.command("systemctl", f'[ "$1" = is-system-running ] && echo running; touch {system.up} {forbidden}')
    done = system.run()
    assert done.returncode == 0, done.stderr
    assert "sudo usermod --append --groups docker ada" in system.calls
    assert "sudo chown ada /var/run/docker.sock" in system.calls


@pytest.mark.parametrize(
    ("change", "environment", "message"),
    [
        ("no-root", {}, "error: root is needed for: env DEBIAN_FRONTEND=noninteractive apt-get install"),
        ("no-apt", {}, "error: missing: mmdebstrap; there is no apt-get here, install them in this system's way"),
        ("apt-fails", {}, "error: apt-get update failed: see above; no package could be installed"),
        (
            "forbidden",
            {},
            "error: Docker is running, but root may not use it; run as root, or 'sudo usermod -aG docker",
        ),
        (
            "elsewhere",
            {"DOCKER_HOST": "unix:///none.sock"},
            "error: DOCKER_HOST is unix:///none.sock: no Docker Engine answers there; start it, or unset DOCKER_HOST",
        ),
        ("no-python", {}, "error: python3 is not on PATH; install Python 3.11 or later"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    system: System, change: str, environment: dict[str, str], message: str
) -> None:
    system.remove("mmdebstrap")
    if change != "elsewhere":
        system.up.touch()
    match change:
        case "no-root":
            system.command("id", "echo 1000")
        case "no-apt":
            system.remove("apt-get")
        case "apt-fails":
            system.command("apt-get", "exit 100")
        case "forbidden":
            system.command("python3", "exit 2")
        case "no-python":
            system.remove("python3")
        case _:
            pass
    done = system.run(**environment)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("error:") == 1


def test_the_script_is_executable() -> None:
    assert os.access(_SCRIPT, os.X_OK)
