"""What is compared, in a line: the systems, the data and the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recbole_popaware.experiments.report.results import Results


def title(results: Results) -> str:
    """Say what is compared: how many systems, on which data, under which protocol."""
    name, data = results.plan.name, results.plan.dataset
    return f"{name}: {how_many(results)} on {data}, {protocol(results)}"


def how_many(results: Results) -> str:
    """Say how many systems there are, and of how many if some have not finished."""
    planned, finished = len(results.plan.systems), len(results.systems)
    text = f"{finished}" if planned == finished else f"{finished} of {planned}"
    return f"{text} system{'' if planned == 1 else 's'}"


def names(results: Results) -> str:
    """The systems by name: bases with their variants, such as ``SASRec → PopSASRec``."""
    variants = {variant.name for _, variant in results.pairs()}
    texts = []
    for result in results.systems:
        own = [variant.name for base, variant in results.pairs() if base.name == result.name]
        if own:
            texts.append(f"{result.name} → {' / '.join(own)}")
        elif result.name not in variants:
            texts.append(result.name)
    return ", ".join(texts) or "none"


def protocol(results: Results) -> str:
    """The protocol in a line, such as ``split GTS 0.8 : 0.1 : 0.1, best epoch by NDCG@10``."""
    split = results.protocol.eval_args.get("split") or {}
    shares = [f"split {kind} {_how(part)}" for kind, part in split.items()]
    preset = [f"protocol {results.protocol.preset}"] if results.protocol.preset else []
    validates = not any(isinstance(part, Mapping) and not part.get("valid") for part in split.values())
    epoch = "best epoch by" if validates else "last epoch, main measure"
    return ", ".join([*preset, *shares, f"{epoch} {results.protocol.main}"])


def _how(part: Any) -> str:
    """A split's shares, times or name, such as ``0.8 : 0.1 : 0.1`` or ``test 25913600, gap 1800``."""
    if isinstance(part, Mapping):
        return ", ".join(f"{name} {number}" for name, number in part.items())
    return part if isinstance(part, str) else " : ".join(map(str, part))
