"""The command ``python -m recbole_popaware.experiment``; in Python, the name is a function of the package."""

from __future__ import annotations

import sys

if __name__ != "__main__":  # an import would put this module where the function is
    raise ImportError(
        "recbole_popaware.experiment is a function; see recbole_popaware.experiments for modules"
    )

from recbole_popaware.experiments.__main__ import main

sys.exit(main())
