"""Join a cluster of Ray's, or start Ray on this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from recbole_popaware.errors import UsageError


@contextmanager
def cluster(address: str | None, workers: int | None) -> Iterator[None]:
    """Join a cluster, or start Ray on this machine; leave it at the end.

    Args:
        address: Of the cluster, such as ``host:6379``; ``None``: Ray is started here.
        workers: CPUs that a Ray which is started here may use; ``None``: all.

    Raises:
        UsageError: If it is not reached.
    """
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its errors are raised too
    local: dict[str, Any] = {"address": "local", "num_cpus": workers, "include_dashboard": False}
    try:
        if address is not None:
            _reach(address)
        ray.init(
            **(local if address is None else {"address": address}), log_to_driver=False, logging_level="ERROR"
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"no Ray cluster was reached at [{address or 'this machine'}]: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Try to connect to an address such as ``host:6379``; Ray itself tries for minutes before it gives up."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()
