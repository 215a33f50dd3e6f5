"""Start of the plugin, whose only argument is the engine's address."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_protocol_alone() -> None:
    """Make `pulumi.runtime.proto` importable without the SDK around it, which takes a third of a second to import.

    Every command of the engine starts this process, and all that we need of the SDK are the protocol's messages.
    """
    found = importlib.util.find_spec("pulumi")
    if found is None or found.origin is None:
        return
    folder = Path(found.origin).parent
    for name, path in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        package = ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package


if __name__ == "__main__":
    load_protocol_alone()
    from plugins.swarm.serve import serve

    serve(sys.argv[1] if len(sys.argv) > 1 else "")
