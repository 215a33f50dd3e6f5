"""A shell on a machine of the stack, over SSH with the host key that the stack knows."""

import argparse
import os
import sys

from stacks.errors import SettingsError
from stacks.outputs import Node, StackError, nodes, read_outputs
from stacks.preflight import identity_file


def ssh_command(node: Node, identity_file: str) -> list[str]:
    """The words of the `ssh` command that leads to the node."""
    return ["ssh", *node.ssh_options(identity_file), "-p", str(node.port), f"{node.user}@{node.address}"]


def find(machines: list[Node], name: str) -> Node:
    """The node with this name; StackError names those that there are."""
    for node in machines:
        if node.name == name:
            return node
    raise StackError(
        f"NODE is {name!r}: there is no such machine; there is {', '.join(node.name for node in machines)}"
    )


def main() -> int:
    """Replace this process by `ssh`; further words are a command for the machine."""
    parser = argparse.ArgumentParser(prog="stacks.shell", description=__doc__)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--engine", default="bin/hermetic")
    parser.add_argument("--identity", help="private key; that of the stack's settings unless said")
    parser.add_argument("node")
    parser.add_argument("command", nargs="*")
    arguments = parser.parse_args()
    try:
        node = find(nodes(read_outputs(arguments.engine, arguments.stack)), arguments.node)
        identity = arguments.identity or identity_file(arguments.stack)
    except (StackError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    words = [*ssh_command(node, identity), *arguments.command]
    return os.execvp(words[0], words)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    sys.exit(main())
