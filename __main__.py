"""The program: settings in, deploy() out."""

import gc

import pulumi

from stacks.deploy import deploy
from stacks.load import load

# Thousands of resources live until the end: collecting among them costs a third of the run and frees nothing.
gc.freeze()
gc.set_threshold(100_000, 50, 50)
deploy(load(pulumi.get_stack()))
