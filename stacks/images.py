"""Which service images a stack runs, so that `make` builds these and no others: the builder itself knows no stacks."""

import argparse
import sys

from stacks.errors import SettingsError
from stacks.plan import built_images
from stacks.preflight import stack_file_settings


def main() -> int:
    """Print the names with commas between them; exit with one line on standard error where the stack is wrong."""
    parser = argparse.ArgumentParser(prog="stacks.images", description=__doc__)
    parser.add_argument("--stack", default="dev")
    try:
        names = built_images(stack_file_settings(parser.parse_args().stack))
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(",".join(names))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
