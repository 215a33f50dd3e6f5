"""Pushes the built images to the registry that a stack's settings name."""

import argparse
import sys

from images.push import main as push
from stacks.errors import SettingsError
from stacks.plan import built_images
from stacks.preflight import stack_file_settings


def main() -> int:
    """Exit with one line on standard error where the stack names no registry."""
    parser = argparse.ArgumentParser(prog="stacks.push", description=__doc__)
    parser.add_argument("--stack", default="dev")
    stack: str = parser.parse_args().stack
    try:
        settings = stack_file_settings(stack)
        registry = settings.registry.address
        if registry is None:
            raise SettingsError(
                f"registry.address is None: stack {stack} names no registry; name one in Pulumi.{stack}.yaml"
            )
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return push([registry, *built_images(settings)])


if __name__ == "__main__":
    sys.exit(main())
