"""The command ``python -m recbole_popaware.recommend``; in Python, the name is a function of the package."""

from __future__ import annotations

import sys

if __name__ != "__main__":  # an import would put this module where the function is
    raise ImportError(
        "recbole_popaware.recommend is a function; see recbole_popaware.recommending for modules"
    )

from recbole_popaware.recommending.__main__ import main

sys.exit(main())
