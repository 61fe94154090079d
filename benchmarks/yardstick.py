"""How much is left: boosted trees (LightGBM, LambdaRank) on the features of PopOnly, beside PopOnly itself.

    python benchmarks/yardstick.py atomic foursquare_nyc
    python benchmarks/yardstick.py atomic foursquare_nyc --train-on valid --network saved/FILE.pth

Prints a JSON line for each setting. Candidates of a moment are the items that its user played and the best
200 of the others by PopOnly (and by a network). Trees over all of them rank lists, and trees over those never
played rank discoveries; either start from nothing or from PopOnly's score. They learn from the moments that
PopOnly learns from, or from the validation part; the number of trees is picked on the validation part. The
yardstick of ``--train-on valid`` learns from two thirds of its users and has its validation figures from the
others. Gains are 1 for each distinct target, and targets that are no candidates count as missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import Prepared, load_data_and_model, prepare, train_prepared
from recbole_popaware.replay.features import Features, features_at, played_mask
from recbole_popaware.replay.moments import Moments
from recbole_popaware.replay.requests import Requests
from recbole_popaware.replay.spread import Together

HERE = Path(__file__).parent
LEFT_OUT = (
    3  # of the validation users, each third one picks the number of trees if the others are learned from
)
MOST_TREES, PATIENCE = 400, 30
TREES = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "num_threads": 1,
    "verbose": -1,
    "deterministic": True,
}


class Candidates(NamedTuple):
    """C candidates of Q moments, by moment.

    Attributes:
        rows: ``[C]`` moment of each.
        new: ``[C]`` whether its user never played it.
        x: ``[C, F]`` features; NaN where there is none.
        score: ``[C]`` PopOnly's.
        hit: ``[C]`` whether it is a target.
        targets: ``[Q]`` number of targets of each moment.
        new_targets: ``[Q]`` how many of them its user never played.
    """

    rows: np.ndarray
    new: np.ndarray
    x: np.ndarray
    score: np.ndarray
    hit: np.ndarray
    targets: np.ndarray
    new_targets: np.ndarray

    def only(self, kept: np.ndarray) -> Candidates:
        """Some of the candidates, as a mask ``[C]`` chooses."""
        return Candidates(*(column[kept] for column in self[:5]), *self[5:])

    def of_moments(self, kept: np.ndarray) -> Candidates:
        """The candidates of some moments, as a mask ``[Q]`` chooses."""
        chosen = self.only(kept[self.rows])
        renumbered = (np.cumsum(kept) - 1)[chosen.rows]
        return chosen._replace(
            rows=renumbered, targets=self.targets[kept], new_targets=self.new_targets[kept]
        )


def main() -> None:
    """Train PopOnly and the trees, and print what each reaches."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_path", help="folder of converted data sets")
    parser.add_argument("dataset")
    parser.add_argument("--split", choices=["gts", "loo"], default="gts")
    parser.add_argument("--train-on", choices=["past", "valid"], default="past")
    parser.add_argument("--network", metavar="CHECKPOINT", help="of the same data; with --train-on valid")
    parser.add_argument("--requests", type=int, default=3000, help="most moments that trees learn from")
    parser.add_argument("--new", type=int, default=200, help="candidates never played")
    parser.add_argument("--seed", type=int, default=2020)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="properties of PopOnly")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        for line in measure(arguments):
            print(json.dumps(line), flush=True)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def measure(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Train PopOnly, then trees over all candidates and over those never played.

    Raises:
        UsageError: If LightGBM is missing or the network does not fit.
    """
    lightgbm = _lightgbm()
    if arguments.network and arguments.train_on == "past":
        raise UsageError("--network has learned the plays after past moments; add --train-on valid")
    experiment = _prepare(arguments)
    trained = train_prepared(experiment, saved=False).result
    network = _network(arguments, experiment) if arguments.network else None
    maker = CandidateMaker(experiment.model.eval(), network, arguments.new)
    about = {"dataset": arguments.dataset, "split": arguments.split, "seed": arguments.seed}
    valid, test = maker.of_part(experiment.valid_data), maker.of_part(experiment.test_data)
    if arguments.train_on == "past":
        most = arguments.requests // len(experiment.model.requests)
        past = maker.of_requests(experiment.model.requests, most, arguments.seed)
    else:
        own = np.arange(len(valid.targets)) % LEFT_OUT == 0
        past, valid = valid.of_moments(~own), valid.of_moments(own)
    scores = {"valid": figures(valid, valid.score), "test": figures(test, test.score)}
    yield {**about, "system": "PopOnly", **scores, "seconds": round(trained["seconds"], 1)}
    about["train_on"], about["moments"] = arguments.train_on, len(past.targets)
    for over in ("all", "new"):
        for begin in ("nothing", "PopOnly"):
            start = time.perf_counter()
            parts = [part if over == "all" else part.only(part.new) for part in (past, valid, test)]
            booster = _boost(lightgbm, *parts[:2], begin == "PopOnly", over, arguments.seed)
            measured = {}
            for name, part in zip(("valid", "test"), parts[1:]):
                score = booster.predict(part.x, num_iteration=booster.best_iteration)
                measured[name] = figures(part, score + part.score if begin == "PopOnly" else score)
            yield {
                **about,
                **{"system": "trees", "over": over, "start": begin, "trees": booster.best_iteration},
                **measured,
                **{"seconds": round(time.perf_counter() - start, 1), "gain": _gains(booster, maker.names)},
            }


class CandidateMaker:
    """Chooses candidates of moments and computes their features.

    Args:
        model: A trained PopOnly.
        network: A trained network with its data, if there is one.
        n_new: Candidates never played, of each system.

    Attributes:
        names: Names of the features, ``group.index``.
    """

    def __init__(self, model: Any, network: Prepared | None, n_new: int) -> None:
        self.model, self.network, self.n_new = model, network, n_new
        self.names: list[str] = []

    def of_requests(self, requests: list[Requests], most: int, seed: int) -> Candidates:
        """Candidates of moments in the past, so many at most of each border, with the statistics of then."""
        generator = torch.Generator().manual_seed(seed)
        parts = []
        for part in requests:
            some = part.sample(most, self.model.n_items, generator)
            if len(some.moments.users):
                parts.append(self._make(some.moments, some.targets, self.model._statistics(part.known)))
        return _concatenate(parts)

    def of_part(self, loader: Any) -> Candidates:
        """Candidates of the moments of the validation or the test part."""
        parts = []
        for interaction, _, rows, items in loader:
            targets = torch.unique(rows * self.model.n_items + items)
            parts.append(self._make(self.model._moments(interaction), targets, self.model.together))
        return _concatenate(parts)

    @torch.inference_mode()
    def _make(self, moments: Moments, targets: Tensor, together: Together) -> Candidates:
        n_items = self.model.n_items
        size = max(1, (1 << 25) // (n_items * together.n_sums))
        parts = []
        for first in range(0, len(moments.users), size):
            some = moments.at(slice(first, first + size))
            features = features_at(some, self.model.history, together, self.model.fade, n_items)
            inside = (targets >= first * n_items) & (targets < (first + size) * n_items)
            parts.append(self._some(features, targets[inside] - first * n_items, together))
        return _concatenate(parts)

    def _some(self, features: Features, targets: Tensor, together: Together) -> Candidates:
        records, n_items = features.records, features.records.n_items
        n = len(features.user)
        systems = [self.model.scorer.catalogue(features, together.counts.plays)]
        if self.network is not None:
            systems.append(self._network_scores(records.moments))
        hidden = played_mask(records)
        best = [
            scores.masked_fill(hidden, -torch.inf).topk(min(self.n_new, n_items - 1)) for scores in systems
        ]
        chosen = [(torch.arange(n)[:, None] * n_items + top.indices)[top.values > -torch.inf] for top in best]
        keys = torch.unique(torch.cat([records.keys, *chosen]))
        rows, items = keys // n_items, keys % n_items
        groups = self._features(features, keys, together)
        groups += [("network", scores[rows, items, None]) for scores in systems[1:]]
        self.names = [f"{name}.{index}" for name, x in groups for index in range(x.size(1))]
        is_new = torch.isin(targets, records.keys, invert=True)
        columns = (
            *(rows, torch.isin(keys, records.keys, invert=True), torch.cat([x for _, x in groups], 1)),
            *(systems[0][rows, items], torch.isin(keys, targets)),
            *(torch.bincount(of // n_items, minlength=n) for of in (targets, targets[is_new])),
        )
        return Candidates(*(column.numpy() for column in columns))

    @staticmethod
    def _features(features: Features, keys: Tensor, together: Together) -> list[tuple[str, Tensor]]:
        """Names and columns ``[C, ...]`` of the groups of features; items never played have no record."""
        n_items = features.records.n_items
        rows, items = keys // n_items, keys % n_items
        where = torch.searchsorted(keys, features.records.keys)

        def of_played(x: Tensor) -> Tensor:
            return torch.full((len(keys), x.size(1)), torch.nan).index_copy_(0, where, x)

        return [
            ("count", of_played(features.faded[:, None])),
            ("record", of_played(features.record)),
            ("order", of_played(features.order)),
            ("spread", (features.sums[:, rows, items].T + 1e-3).log()),
            ("popularity", torch.log1p(together.counts.plays[items, None].float())),
            ("user", features.user[rows]),
        ]

    def _network_scores(self, moments: Moments) -> Tensor:
        """The network's scores of all items, ``[Q, n_items]``."""
        network: Any = self.network
        dataset, config = network.dataset, network.config
        rows = Interaction(
            {
                dataset.uid_field: moments.users,
                dataset.iid_field: torch.zeros_like(moments.users),
                dataset.end_field: moments.ends,
                config["REQUEST_TIME_FIELD"]: moments.now,
            }
        )
        rows.update(dataset.windows_of(rows))
        scores: Tensor = network.model.full_sort_predict(rows.to(config["device"]))
        return scores.view(len(moments.users), -1).cpu()


def figures(candidates: Candidates, scores: np.ndarray) -> dict[str, float]:
    """GradedNDCG@10 of all candidates, and ExploreRecall@10 and @100 of those never played."""
    measured = {}
    if not candidates.new.all():
        hits = candidates.hit & (_rank(candidates.rows, scores) < 10)
        gains = hits / np.log2(_rank(candidates.rows, scores) + 2)
        ideal = np.cumsum(1 / np.log2(np.arange(2, 12)))[np.minimum(candidates.targets, 10) - 1]
        measured["GradedNDCG@10"] = np.mean(np.bincount(candidates.rows, gains, len(ideal)) / ideal)
    new, with_new = candidates.only(candidates.new), candidates.new_targets > 0
    rank = _rank(new.rows, scores[candidates.new])
    for k in (10, 100):
        hits = np.bincount(new.rows, new.hit & (rank < k), len(with_new))[with_new]
        measured[f"ExploreRecall@{k}"] = np.mean(hits / candidates.new_targets[with_new])
    return {name: round(float(value), 4) for name, value in measured.items()}


def _rank(rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Rank of each candidate within its row, from 0, for rows in ascending order."""
    order = np.lexsort((-scores, rows))
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(len(rows)) - np.searchsorted(rows, rows[order])
    return rank


def _boost(lightgbm: Any, past: Candidates, valid: Candidates, from_score: bool, over: str, seed: int) -> Any:
    """Train trees; their number is the best on the validation part."""
    k = 10 if over == "all" else 100
    settings = {**TREES, "eval_at": [k], "lambdarank_truncation_level": k + 10, "seed": seed}

    def data(part: Candidates) -> Any:
        sizes = np.bincount(part.rows)
        start = part.score if from_score else None
        return lightgbm.Dataset(part.x, part.hit, group=sizes[sizes > 0], init_score=start)

    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    return lightgbm.train(settings, data(past), MOST_TREES, [data(valid)], callbacks=[stop])


def _gains(booster: Any, names: list[str]) -> dict[str, Any]:
    """Shares of the gain of each group of features and of the ten best features."""
    gains = booster.feature_importance("gain", iteration=booster.best_iteration)
    gains = gains / max(gains.sum(), 1e-12)
    groups: dict[str, float] = {}
    for name, gain in zip(names, gains):
        group = name.split(".")[0]
        groups[group] = groups.get(group, 0.0) + float(gain)
    best = sorted(zip(names, gains.tolist()), key=lambda pair: -pair[1])[:10]
    return {
        "groups": {name: round(gain, 3) for name, gain in groups.items()},
        "best": {name: round(gain, 3) for name, gain in best},
    }


def _prepare(arguments: argparse.Namespace) -> Prepared:
    own = {"data_path": arguments.data_path, "dataset": arguments.dataset, "seed": arguments.seed}
    files = [str(HERE / "gts.yaml")] if arguments.split == "gts" else []
    quiet = {"state": "ERROR", "show_progress": False}
    argv = [f"--{setting}" for setting in arguments.set]
    return prepare(Config("PopOnly", None, files, {**own, **quiet}, argv=argv))


def _network(arguments: argparse.Namespace, experiment: Prepared) -> Prepared:
    network = load_data_and_model(arguments.network, {"data_path": arguments.data_path}, log=False)
    same_split = network.config["eval_args"]["split"] == experiment.config["eval_args"]["split"]
    if network.model.item_numbering != experiment.model.item_numbering or not same_split:
        raise UsageError(
            f"{arguments.network} was trained on other data or another split than {arguments.dataset}"
        )
    network.model.eval()
    return network


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ModuleNotFoundError as error:
        raise UsageError(
            "the yardstick needs LightGBM: pip install 'recbole-popaware[benchmarks]'"
        ) from error
    return lightgbm


def _concatenate(parts: list[Candidates]) -> Candidates:
    """All moments of several."""
    first = np.cumsum([0, *(len(part.targets) for part in parts)])
    shifted = [part._replace(rows=part.rows + start) for part, start in zip(parts, first)]
    return Candidates(*(np.concatenate(columns) for columns in zip(*shifted)))


if __name__ == "__main__":
    main()
