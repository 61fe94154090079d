"""Start the processes of a distributed training, and end them together."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed
from torch.multiprocessing import get_context
from torch.multiprocessing.spawn import ProcessExitedException, start_processes

from recbole_popaware import torchrun
from recbole_popaware.config import Config
from recbole_popaware.distributed import Topology
from recbole_popaware.errors import UsageError
from recbole_popaware.log import hold, quiet_if_refused
from recbole_popaware.quick_start import RunResult, train_and_evaluate


@dataclass(frozen=True)
class Request:
    """What :class:`~.config.Config` is made from."""

    model: str | type | None = None
    dataset: str | None = None
    config_files: tuple[str, ...] = ()
    config_dict: dict[str, Any] | None = None
    argv: tuple[str, ...] = ()

    def config(self, **more: Any) -> Config:
        """Read the settings, with more properties, which replace those of ``config_dict``."""
        return Config(
            self.model, self.dataset, self.config_files, {**(self.config_dict or {}), **more}, self.argv
        )


def run(request: Request, topology: Topology) -> RunResult | None:
    """Train and evaluate in one process or in several; RecBole's ``run``.

    Args:
        request: The settings.
        topology: The processes, unless torchrun has started them.

    Returns:
        What :func:`~.quick_start.run_recbole_popaware` returns; ``None`` on machines other than the first.

    Raises:
        UsageError: If settings, data or topology cannot work.
    """
    if torchrun.has_launched():
        return _run_launched(request, topology)
    if topology.is_one_process:
        return train_and_evaluate(request.config())
    logging.getLogger("torch.multiprocessing.spawn").setLevel(
        logging.ERROR
    )  # it logs the processes that it ends
    config = request.config()  # mistakes are reported before anything starts
    if config["model"] == "Pop":
        raise UsageError(
            "Pop counts the plays that a process is dealt, not all; say --nproc=1, or --model=MostPop"
        )
    results = get_context("spawn").SimpleQueue()
    arguments = (request, topology.as_properties(), results)
    processes = start_processes(  # type: ignore[no-untyped-call]  # PyTorch's has no annotations
        _run_process, arguments, topology.nproc, join=False, start_method="spawn"
    )
    try:
        while not processes.join():
            pass
    except ProcessExitedException:
        if results.empty():
            raise
        raise UsageError(results.get()) from None
    finally:  # whatever happens, Ctrl-C in this process alone included
        for process in processes.processes:
            if process.is_alive():
                process.terminate()
    return None if results.empty() else results.get()


def _run_process(local_rank: int, request: Request, properties: dict[str, Any], results: Any) -> None:
    """Do the work of one process; the first one of all hands over the result."""
    warnings.filterwarnings("ignore", module=r"recbole\.")
    hold()
    try:
        result = _run_rank(local_rank, request, properties)
    except UsageError as error:
        results.put(str(error))
        raise SystemExit(2) from error
    if result is not None:
        results.put(result)


def _run_launched(request: Request, topology: Topology) -> RunResult | None:
    """Do the work of this process, one of those that torchrun has started."""
    with torchrun.first_one_speaks():
        started, local_rank = torchrun.topology(topology)
        request.config()  # mistakes are reported before the processes meet
        return _run_rank(local_rank, request, started.as_properties())


def _run_rank(local_rank: int, request: Request, properties: dict[str, Any]) -> RunResult | None:
    """Train and evaluate as one of several processes; the result, in the first one of all."""
    torch.set_num_threads(max(1, torch.get_num_threads() // properties["nproc"]))
    first = not local_rank + properties["offset"]
    if not first:
        logging.disable()
    with quiet_if_refused():
        result = train_and_evaluate(request.config(**properties, local_rank=local_rank))
    distributed.destroy_process_group()
    return result if first else None
