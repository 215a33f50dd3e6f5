"""`python -m hermetic`: the same as bin/hermetic."""

import sys

from hermetic.cli import main

sys.exit(main())
