"""``python -m hibayes.cli``: the command ``hibayes``."""

from __future__ import annotations

import sys

from hibayes.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
