"""What the computer under the Docker Engine allows and is: the capabilities that a machine container may have, since
`--privileged` fails where the engine itself lacks one, and the architecture."""

import re
from typing import Any, Final

import docker

from images.progress import BuildError

# Bit numbers of linux/capability.h. Later ones (PERFMON, BPF, CHECKPOINT_RESTORE) are unknown to Docker 20.10.
# fmt: off
_CAPABILITIES: Final = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
)
# fmt: on
_STATUS: Final = re.compile(r"^Name:\s*(\S+)$.*?^CapBnd:\s*([0-9a-f]+)$", re.MULTILINE | re.DOTALL)
_READ_STATUS: Final = (
    "cat /proc/1/status; for f in /proc/[0-9]*/status; do grep -qs '^Name:.dockerd$' $f && cat $f; done; true"
)


def describe(client: docker.APIClient, image: str) -> dict[str, Any]:
    """`capabilities` (CAP_... names that the engine can give), `architecture` in the words of image manifests, and
    `engine`, which changes when it is another engine. `image` is one that has a shell."""
    return {
        "engine": identity(client),
        "architecture": client.version()["Arch"],
        "capabilities": capabilities(bounding_set(_statuses(client, image))),
    }


def identity(client: docker.APIClient) -> str:
    """The engine, and the kernel under it, because both decide what is allowed."""
    info: dict[str, str] = client.info()
    return f"{info['ID']} {info['ServerVersion']} {info['KernelVersion']}"


def bounding_set(statuses: str) -> int:
    """The bounding set of dockerd, or of the first process where dockerd is hidden; from texts of /proc/*/status."""
    found = dict(reversed(_STATUS.findall(statuses)))
    if not found:
        raise BuildError("the capabilities of the Docker host cannot be read: /proc/1/status has no line CapBnd")
    first = _STATUS.search(statuses)
    assert first is not None
    return int(found.get("dockerd", first.group(2)), 16)


def capabilities(bits: int) -> list[str]:
    """Names for the bits that Docker knows."""
    return [f"CAP_{name}" for number, name in enumerate(_CAPABILITIES) if bits >> number & 1]


def _statuses(client: docker.APIClient, image: str) -> str:
    configuration = client.create_host_config(pid_mode="host", network_mode="none")
    container: str = client.create_container(image, ["/bin/sh", "-c", _READ_STATUS], host_config=configuration)["Id"]
    try:
        client.start(container)
        client.wait(container)
        return client.logs(container).decode()
    finally:
        client.remove_container(container, force=True)
