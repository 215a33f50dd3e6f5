"""What the tools beside the program know of a running stack: its outputs, as the engine tells them."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from components.swarm.endpoint import known_hosts_name, ssh_arguments
from stacks.load import PROJECT_FOLDER


class StackError(Exception):
    """The stack cannot be asked; the message is for the user."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine as the stack's output `nodes` describes it."""

    name: str
    role: str
    address: str
    port: int
    user: str
    host_key: str
    private_address: str
    proxy_command: str | None = None

    @property
    def url(self) -> str:
        """The way in: `ssh://root@127.0.0.1:2211`."""
        return f"ssh://{self.user}@{self.address}:{self.port}"

    def ssh_options(self, identity_file: str) -> list[str]:
        """Words for ssh's command line: this identity, the host key that the stack knows, and the way there."""
        proxy = ["-o", f"ProxyCommand={self.proxy_command}"] if self.proxy_command else []
        return [*ssh_arguments(identity_file, known_hosts_name(self.url), self.host_key), *proxy]


def read_outputs(engine: str, stack: str) -> dict[str, Any]:
    """The stack's outputs, secrets not shown."""
    words = [engine, "stack", "output", "--json", "--stack", stack]
    done = subprocess.run(words, cwd=PROJECT_FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError((done.stderr or done.stdout).strip().removeprefix("error: "))
    return json.loads(done.stdout)


def nodes(outputs: dict[str, Any]) -> list[Node]:
    """The machines, managers first."""
    found = outputs.get("nodes")
    if not found:
        raise StackError("the stack has no machines; run `make up` first")
    proxy = outputs.get("proxy_command")
    described = [Node(name=name, **values, proxy_command=proxy) for name, values in found.items()]
    return sorted(described, key=lambda node: (node.role, len(node.name), node.name))
