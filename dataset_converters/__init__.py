"""Turn raw listening logs into RecBole atomic files: ``convert``, or ``python -m dataset_converters``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset_converters.api import Conversion, convert
    from dataset_converters.common.errors import ConversionError

__all__ = ["Conversion", "ConversionError", "convert"]


def __getattr__(name: str) -> Any:
    """Import what is asked for by name, so that importing the package costs nothing."""
    if name in __all__:
        from dataset_converters import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
