"""Processes that PyTorch's ``torchrun`` has started: what it says about them in the environment."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from recbole_popaware.distributed import Topology
from recbole_popaware.errors import UsageError

_NUMBERS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
_SECONDS_FOR_THE_FIRST = 10.0


def has_launched(environment: Mapping[str, str] | None = None) -> bool:
    """Whether this process is one of several; with one in all, nothing is distributed."""
    environment = os.environ if environment is None else environment
    is_one = all(name in environment for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"))
    return is_one and environment["WORLD_SIZE"] != "1"


def topology(asked: Topology) -> tuple[Topology, int]:
    """The processes that were started, and this one's index on its machine.

    Args:
        asked: What the command line says, which must be nothing.

    Raises:
        UsageError: If it says something, or the environment does not fit.
    """
    if asked != Topology():
        raise UsageError(
            "torchrun has started the processes, so that --nproc, --world_size, --group_offset, --ip and "
            "--port are not for this command; say torchrun --nnodes=... --nproc_per_node=... instead"
        )
    rank, local_rank, world_size, nproc = map(_number, _NUMBERS)
    if not (0 <= local_rank < nproc and 0 <= rank - local_rank <= world_size - nproc):
        given = ", ".join(f"{name} [{os.environ[name]}]" for name in _NUMBERS)
        raise UsageError(f"{given} do not fit together; torchrun sets them, so start with torchrun again")
    address, port = os.environ["MASTER_ADDR"], _number("MASTER_PORT")
    return Topology(nproc, world_size, address, port, rank - local_rank), local_rank


@contextmanager
def first_one_speaks() -> Iterator[None]:
    """Leave a mistake that all processes of a machine meet to the first of them, to report it once.

    When that one ends, torchrun ends the others; after a while the mistake must be ours alone.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        yield
        return
    try:
        try:
            yield
        except UsageError:
            time.sleep(_SECONDS_FOR_THE_FIRST)
            raise
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _number(name: str) -> int:
    try:
        return int(os.environ[name])
    except (KeyError, ValueError):
        raise UsageError(
            f"{name} is [{os.environ.get(name, '')}] in the environment, where torchrun puts a number; start "
            f"with torchrun, or unset RANK and WORLD_SIZE"
        ) from None
