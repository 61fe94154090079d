"""The command ``recbole-popaware-export``: from a checkpoint to a folder that a server can load."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recbole_popaware import __version__
from recbole_popaware.cli import OneLineParser, exit_code
from recbole_popaware.errors import UsageError
from recbole_popaware.files import check_folder, one_line
from recbole_popaware.plays.exponentials import LONGEST, Exponentials
from recbole_popaware.serving.folder import FORMAT, ITEMS, MANIFEST, NETWORK, TENSORS

CAN_BE_EXPORTED = (
    "PopSASRec, PopBERT4Rec and PopGSASRec can, unless popularity_head is replay or output is countnet"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments after the program's name; default: the command line's.

    Returns:
        Exit code: 0, 2 for a mistake of the user, which is explained in one line, 130 if interrupted.
    """
    return exit_code(lambda: _carry_out(sys.argv[1:] if argv is None else argv))


def _carry_out(argv: Sequence[str]) -> str:
    parser = OneLineParser(
        prog="recbole-popaware-export",
        description="Write what a server needs of a checkpoint into a new folder.",
        allow_abbrev=False,
    )
    parser.add_argument("checkpoint", help="what training has saved (saved/….pth)")
    parser.add_argument("folder", help="the folder to make")
    parser.add_argument("--data-path", metavar="FOLDER", help="where the data sets are now")
    parser.add_argument("--no-measures", action="store_true", help="leave out the measures of the test part")
    given = parser.parse_args(argv)
    export(given.checkpoint, given.folder, given.data_path, measures=not given.no_measures)
    return f"written to {given.folder}"


def export(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    data_path: str | os.PathLike[str] | None = None,
    *,
    measures: bool = True,
) -> None:
    """Write a folder for :class:`~recbole_popaware.serving.Session`.

    Args:
        checkpoint: A file that training has saved.
        folder: The folder to make; it is there whole or not at all.
        data_path: Folder of data sets, if it has moved since the training.
        measures: Evaluate the test part, for which its data set must be there.

    Raises:
        UsageError: If the model cannot be exported, a file not read or written, or a package is missing.
    """
    target = Path(os.path.realpath(folder))
    if target.exists():
        raise UsageError(f"{folder} is there already; name another folder")
    check_folder(target.parent, f"the folder of [{folder}]")
    from recbole_popaware.compat import import_recbole  # slow imports

    import_recbole()
    from recbole_popaware.recommending.without_log import load_without_log

    loaded = load_without_log(checkpoint, {"use_gpu": False})
    if loaded is None or loaded.config["output"] == "countnet":
        raise UsageError(
            f"the model in {checkpoint} cannot be exported; {CAN_BE_EXPORTED}, trained by this version"
        )
    tested = _test(checkpoint, data_path) if measures else None
    with one_line(f"{folder} cannot be written"), tempfile.TemporaryDirectory(dir=target.parent) as parent:
        part = Path(parent, "part")
        part.mkdir()
        _write(part, loaded, tested)
        part.rename(target)


def _test(checkpoint: str | os.PathLike[str], data_path: str | os.PathLike[str] | None) -> dict[str, float]:
    """Measures of the test part."""
    from recbole_popaware.quick_start import load_data_and_model
    from recbole_popaware.utils import get_trainer

    moved = {} if data_path is None else {"data_path": os.fspath(data_path)}
    try:
        loaded = load_data_and_model(checkpoint, {**moved, "show_progress": False}, log=False)
    except UsageError as error:
        raise UsageError(f"{error} (for measures of the test part; --no-measures does without)") from error
    trainer = get_trainer(loaded.config["MODEL_TYPE"], loaded.config["model"])(loaded.config, loaded.model)
    try:
        result = trainer.evaluate(loaded.test_data, load_best_model=False)
    finally:
        trainer.tensorboard.close()
    return {name: float(value) for name, value in result.items()}


def _write(folder: Path, loaded: Any, tested: dict[str, float] | None) -> None:
    import torch

    from recbole_popaware.trust import keep_harmless

    try:
        import onnx  # which torch.onnx needs
        from safetensors.numpy import save_file
    except ModuleNotFoundError as error:
        raise UsageError(
            f"an export needs a package that is not there ({error}); install [serving]"
        ) from error
    config, dataset, model = loaded.config, loaded.dataset, loaded.model.eval()
    head, fading = _head(config, model)
    scorer = model.network_scorer()
    with torch.no_grad():
        tensors = {"items": scorer.table, "popularity": dataset.item_popularity().float()}
        tensors["scale"] = head.pop("scale")
        if scorer.bias is not None:
            tensors["bias"] = scorer.weighted(scorer.bias)
        arrays = {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
        _write_network(folder / NETWORK, model)
    save_file({**arrays, "rates": fading.rates, "weights": fading.weights}, folder / TENSORS)
    (folder / ITEMS).write_bytes("\n".join(dataset.field2id_token[dataset.iid_field][1:]).encode())
    manifest = {
        "format": FORMAT,
        "versions": {"recbole_popaware": __version__, "torch": torch.__version__, "onnx": onnx.__version__},
        "model": config["model"],
        "dataset": config["dataset"],
        "window": config["MAX_ITEM_LIST_LENGTH"],
        "head": {**head, "fading_error": fading.error, "fading_error_until": LONGEST},
        "measures": tested,
        "properties": keep_harmless(json.loads(config.settings_as_text()), folder, warn=False),
        "files": {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, default=str) + "\n", encoding="utf-8")


def _head(config: Any, model: Any) -> tuple[dict[str, Any], Exponentials]:
    """What the popularity head is, and its memory where all plays count."""
    import torch

    head = model.popularity_head
    if head is None:
        none = {"form": "none", "limit": 1, "hours": False, "scale": torch.zeros(5, dtype=torch.float64)}
        return none, Exponentials.of_power_law(0.0, 0.0)
    counted = config["pps_history"]
    limit = {"window": config["MAX_ITEM_LIST_LENGTH"], "full": None}.get(counted, counted)
    values = head.values() if hasattr(head, "values") else {"eps": head.epsilon}
    alpha, epsilon, decay, offset, bias = (
        float(values.get(name, default))
        for name, default in {"alpha": 1, "eps": 0, "d": 0, "c": 0, "b": 0}.items()
    )
    scale = torch.tensor([alpha, epsilon, decay, offset, bias], dtype=torch.float64)
    of_head = {"form": head.form, "limit": limit, "hours": config["pps_age"] == "hours", "scale": scale}
    return of_head, Exponentials.of_power_law(decay if limit is None else 0.0, offset)


def _write_network(file: Path, model: Any) -> None:
    """Write the network as ONNX: windows ``[B, L]`` and their lengths ``[B]`` to states ``[B, H]``."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, windows: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            hidden = self.model.last_hidden({model.ITEM_SEQ: windows, model.ITEM_SEQ_LEN: lengths})
            weighed: torch.Tensor = self.model.network_scorer().weighted(hidden)
            return weighed

    windows = torch.tensor([[1, 2, 0], [1, 2, 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes that are constant, and of the exporter's successor
        torch.onnx.export(
            Network().eval(),
            (windows, torch.tensor([2, 3])),
            os.fspath(file),
            input_names=["windows", "lengths"],
            output_names=["hidden"],
            dynamic_axes={
                "windows": {0: "users", 1: "length"},
                "lengths": {0: "users"},
                "hidden": {0: "users"},
            },
            opset_version=17,
            dynamo=False,  # needs neither onnxscript nor half a minute
        )


if __name__ == "__main__":
    sys.exit(main())
