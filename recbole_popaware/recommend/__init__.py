"""Ranked lists for users, from a checkpoint: ``recbole_popaware.recommend(...)`` or ``python -m`` this.

The package may be called like the function :func:`.api.recommend`, which is imported only then.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from recbole_popaware.recommend.options import Options

__all__ = ["Options"]


class _Callable(ModuleType):
    def __call__(self, *args: Any, **named: Any) -> Any:
        from recbole_popaware.recommend.api import recommend

        return recommend(*args, **named)


sys.modules[__name__].__class__ = _Callable
