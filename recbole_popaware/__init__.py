"""Personalised popularity for RecBole's sequential recommenders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recbole_popaware.recommending.api import recommend as recommend

__version__ = "0.2.0.dev0"


def __getattr__(name: str) -> Any:
    """Import what is asked for by name, so that importing the package costs nothing."""
    if name == "recommend":
        from recbole_popaware.recommending.api import recommend

        return recommend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
