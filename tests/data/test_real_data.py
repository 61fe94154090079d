"""The whole way on real plays: convert, load, evaluate."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import REAL_DATA

from dataset_converters.__main__ import main as convert
from recbole_popaware.quick_start import run_recbole_popaware

FOURSQUARE = REAL_DATA / "foursquare_nyc"

pytestmark = pytest.mark.skipif(
    not FOURSQUARE.is_dir(), reason=f"{FOURSQUARE} is not there; set RECBOLE_POPAWARE_DATA to the real plays"
)


def ndcg_of_counts(file, k: int = 10) -> float:
    """Leave-one-out NDCG of a user's own items by plays, then latest play: an oracle in plain Python."""
    histories: dict[str, list[str]] = {}
    with file.open() as lines:
        next(lines)
        for line in lines:
            user, item, *_ = line.split("\t")
            histories.setdefault(user, []).append(item)
    gains = []
    for *plays, target in histories.values():
        latest = {item: position for position, item in enumerate(plays)}
        order = sorted(latest, key=lambda item: (-plays.count(item), -latest[item]))[:k]
        gains.append(1 / np.log2(order.index(target) + 2) if target in order else 0.0)
    return float(np.mean(gains))


def test_personalized_popularity_of_converted_plays_equals_an_oracle(tmp_path):
    assert convert(["parquet", str(FOURSQUARE), str(tmp_path), "--name", "nyc"]) == 0
    settings = {"data_path": str(tmp_path), "state": "ERROR", "MAX_ITEM_LIST_LENGTH": 5}
    result = run_recbole_popaware("PersonalizedMostPop", "nyc", config_dict=settings)
    expected = ndcg_of_counts(tmp_path / "nyc" / "nyc.inter")
    # users with fewer than ten items of their own get popular ones too, which hit now and then
    assert expected - 1e-4 <= result["test_result"]["ndcg@10"] <= expected + 2e-3
