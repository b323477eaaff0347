"""``python -m rimkit``."""

import sys

from rimkit.cli.main import main

sys.exit(main())
