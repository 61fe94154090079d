"""Training in several processes with torch's distributed data parallel, on CPUs or GPUs."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data.distributed import DistributedSampler

from recbole_popaware.checkpoint import load_weights, read_checkpoint
from recbole_popaware.errors import UsageError
from recbole_popaware.model.rows import rows_at
from recbole_popaware.tables import tables_of


class Topology(NamedTuple):
    """Which processes take part; the names are RecBole's.

    Attributes:
        nproc: Processes on this machine.
        world_size: Processes on all machines; -1: those of this one.
        ip: Address of the first machine.
        port: Its port for the processes to meet; ``None``: a free one, where there is one machine only.
        group_offset: Processes on the machines before this one.
    """

    nproc: int = 1
    world_size: int = -1
    ip: str = "localhost"
    port: int | None = None
    group_offset: int = 0

    @property
    def is_one_process(self) -> bool:
        """Whether nothing is distributed; RecBole's rule."""
        return self.nproc == 1 and self.world_size <= 0

    def as_properties(self) -> dict[str, Any]:
        """What RecBole's ``Config`` wants to know, checked.

        Raises:
            UsageError: If the numbers do not fit together.
        """
        world_size = self.nproc if self.world_size <= 0 else self.world_size
        if self.nproc < 1 or self.group_offset < 0 or self.group_offset + self.nproc > world_size:
            raise UsageError(
                f"nproc [{self.nproc}], group_offset [{self.group_offset}] and world_size [{world_size}] do "
                f"not fit: nproc must be at least 1, and group_offset + nproc at most world_size"
            )
        if self.port is None and world_size > self.nproc:
            raise UsageError("several machines need a port to meet at: say --ip=ADDRESS --port=NUMBER")
        return {
            **{"nproc": self.nproc, "world_size": world_size, "offset": self.group_offset},
            **{"ip": self.ip, "port": self.port or _free_port()},
        }


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("localhost", 0))
        port: int = chosen.getsockname()[1]
        return port


def is_first(config: Any) -> bool:
    """Whether this process is the one that logs, saves and prints."""
    return not (config["local_rank"] or 0) + (config["offset"] or 0)


def join_group(settings: dict[str, Any]) -> None:
    """Make this process one of a group, and note its device in the settings.

    Differs from RecBole's way in that it meets by gloo on CPUs (stock knows nccl only, issue #1811), and
    in that the first process of all is the only one that logs anything.

    Raises:
        UsageError: If there are fewer GPUs than processes.
    """
    rank, gpus = settings["local_rank"], [gpu for gpu in str(settings["gpu_id"]).split(",") if gpu]
    on_gpu = torch.cuda.is_available() and bool(gpus)
    if on_gpu and min(len(gpus), torch.cuda.device_count()) < settings["nproc"]:
        raise UsageError(
            f"{settings['nproc']} processes need as many GPUs, but gpu_id is [{settings['gpu_id']}] of "
            f"{torch.cuda.device_count()}; name some in gpu_id, such as --gpu_id=0,1, or none (--gpu_id=)"
        )
    if on_gpu:
        torch.cuda.set_device(rank)
    of_torchrun = distributed.is_torchelastic_launched()  # which has the store where they meet
    distributed.init_process_group(
        backend="nccl" if on_gpu else "gloo",
        rank=rank + settings["offset"],
        world_size=settings["world_size"],
        init_method="env://" if of_torchrun else f"tcp://{settings['ip']}:{settings['port']}",
    )
    settings["device"] = torch.device("cuda", rank) if on_gpu else torch.device("cpu")
    settings["single_spec"] = False
    if rank + settings["offset"]:
        settings.update(state="error", show_progress=False, log_wandb=False)


class DistributedTraining:
    """Mixin before a RecBole trainer; differs from stock where there are several processes.

    * The model is wrapped on CPUs too, and one that learns nothing is not wrapped.
    * Tables with sparse gradients exchange the rows that a process has looked up (:func:`mean_of_rows`),
      where PyTorch's wrapper would exchange whole tables. Buffers that are no part of a checkpoint are made
      alike by every process, so that they are not exchanged.
    * The first process alone reads a checkpoint and hands the weights to the others.
    * Measures are computed from all processes' rows (:func:`gather_rows`), where stock averages the
      processes' measures by their number of batches.
    """

    config: Any
    model: Any
    eval_collector: Any
    saved_model_file: str

    def __init__(self, config: Any, model: Any) -> None:
        together, config["single_spec"] = not config["single_spec"], True  # stock wraps for GPUs only
        super().__init__(config, model)  # type: ignore[call-arg]  # the trainer behind the mixin
        config["single_spec"] = not together
        if together and any(parameter.requires_grad for parameter in model.parameters()):
            on_gpu = config["device"].type == "cuda"
            if on_gpu:
                synchronised: Any = torch.nn.SyncBatchNorm
                self.model = synchronised.convert_sync_batchnorm(model)
            devices = [config["local_rank"]] if on_gpu else None
            self._share_tables()
            self.distributed_model = DistributedDataParallel(self.model, device_ids=devices)

    def sync_grad_loss(self) -> Any:
        """Nothing, of all parameters, so that each has a gradient in every process; of tables no rows."""
        tables = {id(table) for table in tables_of(self.model)}
        none = torch.empty(0, dtype=torch.long, device=self.config["device"])
        parts = (rows_at(p, none, sparse=True) if id(p) in tables else p for p in self.model.parameters())
        return sum(part.sum() * 0 for part in parts)

    def _share_tables(self) -> None:
        """Let the tables be those of the first process, and exchange their gradients from now on."""
        tables = {id(table) for table in tables_of(self.model)}
        ours = []
        for name, parameter in self.model.named_parameters():
            if id(parameter) in tables:
                distributed.broadcast(parameter.data, src=0)
                parameter.register_post_accumulate_grad_hook(_exchange)
                ours += [name, f".{name}"]  # PyTorch puts a dot before those of the model itself
        lasting = self.model.state_dict().keys()
        made_alike = [name for name, _ in self.model.named_buffers() if name not in lasting]
        wrapper: Any = DistributedDataParallel
        wrapper._set_params_and_buffers_to_ignore_for_model(self.model, ours + made_alike)

    @torch.no_grad()
    def evaluate(
        self,
        eval_data: Any,
        load_best_model: bool = True,
        model_file: Any = None,
        show_progress: bool = False,
    ) -> Any:
        """Evaluate as stock does, on every row once; the weights are read as any checkpoint is."""
        if eval_data and load_best_model:
            self._share_weights(model_file or self.saved_model_file)
        if eval_data and not self.config["single_spec"]:
            self.eval_collector.n_rows = eval_data.sample_size
        return super().evaluate(eval_data, False, None, show_progress)  # type: ignore[misc]  # the trainer's behind the mixin

    def _share_weights(self, file: str) -> None:
        if is_first(self.config):
            checkpoint = read_checkpoint(file, self.config["device"])
            load_weights(self.model, checkpoint, f"{file} does not fit the model")
        if not self.config["single_spec"]:
            for weight in self.model.state_dict().values():
                distributed.broadcast(weight, src=0)

    def _map_reduce(self, result: dict[str, float], num_sample: int) -> dict[str, float]:
        return result  # of all rows already


def _exchange(table: Tensor) -> None:
    table.grad = mean_of_rows(table.grad)  # type: ignore[arg-type]  # it has just been accumulated


def mean_of_rows(gradient: Tensor) -> Tensor:
    """The mean over all processes of a table's gradients, as all of them then have it.

    Each process sends its rows and receives those of the others: with R rows of width H at most in a process,
    ``R * (4 H + 8)`` bytes from each to each, whatever the size of the table.

    Args:
        gradient: Sparse ``[N, H]`` or ``[N]``, the gradient of this process, coalesced.
    """
    n_processes = distributed.get_world_size()
    rows, values = gradient._indices()[0], gradient._values()
    n_rows = [torch.empty(1, dtype=torch.long, device=rows.device) for _ in range(n_processes)]
    distributed.all_gather(n_rows, rows.new_tensor([len(rows)]))
    counts = torch.cat(n_rows).tolist()
    rows, values = _gather_ragged(rows, counts), _gather_ragged(values, counts)
    summed = torch.sparse_coo_tensor(
        rows.unsqueeze(0), values / n_processes, gradient.shape, check_invariants=False
    )
    return summed.coalesce()


def _gather_ragged(mine: Tensor, counts: list[int]) -> Tensor:
    """Bring together ``[M, ...]`` of every process, where M differs and ``counts`` has that of each."""
    padded = mine.new_zeros(max(counts), *mine.shape[1:])
    padded[: len(mine)] = mine
    parts = [torch.empty_like(padded) for _ in counts]
    distributed.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts)])


def gather_rows(mine: Tensor, n_rows: int) -> Tensor:
    """Bring together what all processes collected, in the order that one process would have.

    torch's ``DistributedSampler`` deals row r to process ``r % world_size`` and repeats some rows at the
    end, so that all processes have as many.

    Args:
        mine: ``[M, ...]`` what this process collected, a value for each of its rows.
        n_rows: Rows of all processes, none counted twice.

    Returns:
        ``[n_rows, ...]``.

    Raises:
        UsageError: If there is not one value a row.
    """
    n_processes = distributed.get_world_size()
    if len(mine) != -(-n_rows // n_processes):
        raise UsageError("several processes can evaluate measures of ranked lists only; say --nproc=1")
    parts = [torch.empty_like(mine) for _ in range(n_processes)]
    distributed.all_gather(parts, mine)
    return torch.stack(parts, dim=1).flatten(0, 1)[:n_rows]


def resize_sampler(sampler: Any, n_rows: int) -> None:
    """Let the sampler of one of several processes deal other rows; other samplers look themselves.

    All processes must have as many rows, so that they have as many batches.
    """
    if isinstance(sampler, DistributedSampler):
        sampler.dataset = range(n_rows)  # type: ignore[assignment]  # only its length is asked
        sampler.num_samples = -(-n_rows // sampler.num_replicas)
        sampler.total_size = sampler.num_samples * sampler.num_replicas
