"""The program: settings in, deploy() out."""

import pulumi

from stacks.deploy import deploy
from stacks.load import load

deploy(load(pulumi.get_stack()))
