"""Takes a volume to another node. One that Docker keeps stays where it was made (M59), so what uses it is stopped, its
files are copied and compared, and the old copy is left where it is. A block volume moves by itself, once nobody uses
it. The stack file then names the new node."""

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stacks.errors import SettingsError
from stacks.outputs import Node, StackError, nodes, read_outputs
from stacks.preflight import identity_file
from stacks.shell import find, ssh_command

_PINNED = "node.hostname=="
_STOP_SECONDS = 180.0
# Names, kinds, modes, owners, targets of links, and the content of every file: one line that two copies share or not.
_FINGERPRINT = (
    "{ find . -printf '%P %y %m %U %G %l\\n' | LC_ALL=C sort; "
    "find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum; } | sha256sum"
)

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A service that mounts the volume: how many tasks it is to have, and the node that it is held to."""

    name: str
    replicas: int
    node: str


@dataclass(frozen=True, kw_only=True)
class Remote:
    """The way to the machines; `identity_file` is the private key's path."""

    machines: Sequence[Node]
    identity_file: str

    def words(self, node: str, command: str) -> list[str]:
        """The words of `ssh` for a command on a machine, as root."""
        machine = find(list(self.machines), node)
        command = command if machine.user == "root" else f"sudo sh -c {shlex.quote(command)}"
        return [*ssh_command(machine, self.identity_file), command]

    def run(self, node: str, command: str) -> str:
        """What the command says; StackError with its last words when it fails."""
        done = subprocess.run(self.words(node, command), capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"{node}: {done.stderr.strip()[-500:]}")
        return done.stdout.strip()

    def copy(self, source: str, target: str, *, from_folder: str, to_folder: str) -> None:
        """All of a folder, with owners, modes and times; by way of this computer."""
        pack = self.words(source, f"tar -C {from_folder} --numeric-owner --sparse -cf - .")
        unpack = self.words(target, f"tar -C {to_folder} --numeric-owner -xpf -")
        with subprocess.Popen(pack, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as packing:
            done = subprocess.run(unpack, stdin=packing.stdout, capture_output=True, text=True, check=False)
            assert packing.stdout is not None
            packing.stdout.close()
            _, said = packing.communicate()
        if packing.returncode or done.returncode:
            raise StackError(f"copying from {source} to {target}: {said.decode().strip()} {done.stderr.strip()}")

    def manager(self) -> str:
        """The first manager that answers."""
        failures: list[str] = []
        for machine in self.machines:
            if machine.role == "manager":
                try:
                    self.run(machine.name, "docker node ls --quiet")
                except StackError as error:
                    failures.append(str(error))
                else:
                    return machine.name
        raise StackError("no manager answers: " + "; ".join(failures))


def tenants_of(services: Sequence[Mapping[str, Any]], volume: str) -> list[Tenant]:
    """The services that mount the volume, as `docker service inspect` tells them; jobs that ended are none."""
    found = [
        service["Spec"]
        for service in services
        for mount in service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Mounts", [])
        if mount["Type"] == "volume" and mount.get("Source") == volume
    ]
    return [_tenant(spec, volume) for spec in found if "ReplicatedJob" not in spec["Mode"]]


def _tenant(spec: Mapping[str, Any], volume: str) -> Tenant:
    constraints: list[str] = spec["TaskTemplate"].get("Placement", {}).get("Constraints", [])
    pinned = [text.replace(" ", "").removeprefix(_PINNED) for text in constraints if _PINNED in text.replace(" ", "")]
    replicated = spec["Mode"].get("Replicated")
    if len(pinned) != 1 or replicated is None:
        raise StackError(f"VOLUME is {volume!r}: service {spec['Name']} is not held to one node; move it by hand")
    return Tenant(name=spec["Name"], replicas=replicated["Replicas"], node=pinned[0])


def check_move(volume: str, target: str, tenants: Sequence[Tenant], machines: Sequence[Node]) -> str:
    """The node that has the volume now; StackError for a move that cannot be."""
    sources = sorted({tenant.node for tenant in tenants})
    if len(sources) != 1:
        held = f"it is on {', '.join(sources)}" if sources else "no service of the stack mounts it"
        raise StackError(f"VOLUME is {volume!r}: {held}; name a volume that is on one node")
    find(list(machines), target)
    if sources[0] == target:
        raise StackError(f"TO is {target!r}: volume {volume} is there already; name another node")
    return sources[0]


def move(remote: Remote, volume: str, target: str, say: Say) -> None:
    """Stop, copy, compare. What goes wrong on the way starts everything again where it was."""
    manager = remote.manager()
    listed = remote.run(manager, "docker service inspect $(docker service ls --quiet)")
    tenants = tenants_of(json.loads(listed), volume)
    source = check_move(volume, target, tenants, remote.machines)
    device = _device(remote, source, volume)
    if device:
        _check_zone(remote, manager, source, target)
    else:
        _check_free(remote, target, volume)
    try:
        _scale(remote, manager, {tenant.name: 0 for tenant in tenants})
        _wait_until_unused(remote, source, volume)
        say(f"stopped {', '.join(tenant.name for tenant in tenants)}")
        if not device:
            say(_copied(remote, source, target, volume))
    except BaseException:
        _scale(remote, manager, {tenant.name: tenant.replicas for tenant in tenants})
        raise


def _scale(remote: Remote, manager: str, replicas: Mapping[str, int]) -> None:
    words = " ".join(f"{shlex.quote(name)}={count}" for name, count in replicas.items())
    remote.run(manager, f"docker service scale --detach {words}")


def _device(remote: Remote, node: str, volume: str) -> str:
    """The folder that a block volume is mounted at on its node; empty for one that Docker keeps itself."""
    (described,) = json.loads(remote.run(node, f"docker volume inspect {volume}"))
    return (described.get("Options") or {}).get("device", "")


def _check_zone(remote: Remote, manager: str, source: str, target: str) -> None:
    """A block volume of another zone would be a new one, and empty."""
    label = '{{ index .Spec.Labels "zone" }}'
    zones = [
        remote.run(manager, f"docker node inspect --format {shlex.quote(label)} {node}") for node in (source, target)
    ]
    if zones[0] != zones[1]:
        raise StackError(
            f"TO is {target!r}: it is in zone {zones[1]}, and the volume stays in {zones[0]}; name a node there"
        )


def _check_free(remote: Remote, node: str, volume: str) -> None:
    """Nothing is ever written over: an earlier copy may be all that somebody has."""
    if volume in remote.run(node, "docker volume ls --format '{{.Name}}'").splitlines():
        raise StackError(
            f"TO is {node!r}: it has a volume {volume} already, perhaps from an earlier move; when nobody needs it, "
            f"remove it with `docker volume rm {volume}` there"
        )


def _wait_until_unused(remote: Remote, node: str, volume: str) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while names := remote.run(node, f"docker ps --filter volume={volume} --format '{{{{.Names}}}}'"):
        if time.monotonic() > deadline:
            raise StackError(f"{node}: {names.replace(chr(10), ', ')} still uses volume {volume}")
        time.sleep(1)


def _copied(remote: Remote, source: str, target: str, volume: str) -> str:
    """A proved copy, described; one that is not complete is removed, and it alone."""
    from_folder = _folder(remote, source, volume)
    remote.run(target, f"docker volume create {volume}")
    try:
        to_folder = _folder(remote, target, volume)
        remote.copy(source, target, from_folder=from_folder, to_folder=to_folder)
        prints = [
            remote.run(node, f"cd {folder} && {_FINGERPRINT}")
            for node, folder in ((source, from_folder), (target, to_folder))
        ]
        if prints[0] != prints[1]:
            raise StackError(f"the copy of {volume} on {target} is not what {source} has")
    except BaseException:
        remote.run(target, f"docker volume rm {volume}")
        raise
    size = remote.run(target, f"du -sh {to_folder} | cut -f 1")
    return f"copied {volume} to {target}: {size}, the same on both"


def _folder(remote: Remote, node: str, volume: str) -> str:
    return shlex.quote(remote.run(node, f"docker volume inspect --format '{{{{.Mountpoint}}}}' {volume}"))


def main() -> int:
    """Exit code 0 when the volume may be used on its new node; else one line on standard error."""
    parser = argparse.ArgumentParser(prog="stacks.move", description=__doc__)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--engine", default="bin/hermetic")
    parser.add_argument("--identity", help="private key; that of the stack's settings unless said")
    parser.add_argument("volume")
    parser.add_argument("to")
    arguments = parser.parse_args()
    stack, volume, target = arguments.stack, arguments.volume, arguments.to
    try:
        machines = nodes(read_outputs(arguments.engine, stack))
        remote = Remote(machines=machines, identity_file=arguments.identity or identity_file(stack))
        move(remote, volume, target, lambda line: print(line, flush=True))  # noqa: T201
    except (StackError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(  # noqa: T201
        f"now name {target} in Pulumi.{stack}.yaml as the node of volume {volume}, and run `make up STACK={stack}`: "
        "what was stopped starts there. What the old node has is kept until you remove it"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
