"""The way through a bastion: what ssh is told, and what it makes of that."""

import shlex
import subprocess
from typing import Any

from components.swarm.endpoint import jump_command, ssh_arguments
from stacks.outputs import Node, nodes

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
COMMAND = jump_command("/home/a user/id_ed25519", "admin", "198.51.100.7", KEY)


def test_the_bastion_is_held_to_its_host_key_and_to_this_identity() -> None:
    words = shlex.split(COMMAND)
    assert words[0] == "ssh"
    assert words[words.index("-i") + 1] == "/home/a user/id_ed25519"
    assert f"KnownHostsCommand=/bin/echo 198.51.100.7 {KEY}" in words
    assert "StrictHostKeyChecking=yes" in words
    assert words[-6:] == ["-W", "[%h]:%p", "-l", "admin", "--", "198.51.100.7"]


def test_ssh_puts_the_machine_in_and_a_shell_keeps_the_words_apart() -> None:
    said = subprocess.run(
        ["ssh", "-G", "-o", f"ProxyCommand={COMMAND}", "10.60.0.11"], capture_output=True, text=True, check=True
    ).stdout
    (line,) = [line for line in said.splitlines() if line.startswith("proxycommand ")]
    assert shlex.split(line.removeprefix("proxycommand ")) == shlex.split(COMMAND)


def test_tools_beside_the_program_go_the_same_way() -> None:
    described: dict[str, Any] = {
        "role": "manager", "address": "10.60.0.11", "port": 22, "user": "admin", "host_key": KEY,
        "private_address": "10.60.0.11",
    }  # fmt: skip
    (node,) = nodes({"nodes": {"manager-1": described}, "proxy_command": COMMAND})
    assert node.ssh_options("id") == [*ssh_arguments("id", "10.60.0.11", KEY), "-o", f"ProxyCommand={COMMAND}"]
    (direct,) = nodes({"nodes": {"manager-1": described}})
    assert direct == Node(name="manager-1", **described)
    assert direct.ssh_options("id") == ssh_arguments("id", "10.60.0.11", KEY)
