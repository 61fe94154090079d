"""Stock RecBole reads what the converters write."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from raw_logs import play, write_interactions, write_tracks

from dataset_converters.__main__ import main

pytest.importorskip("recbole")


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Load a data set with RecBole's own classes, away from its habits."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.chdir(tmp_path)
    for name, kind in (("float_", np.float64), ("complex_", np.complex128), ("unicode_", np.str_)):
        monkeypatch.setattr(np, name, kind, raising=False)
    from recbole.config import Config
    from recbole.data import create_dataset

    def load(folder: Path, **settings: object):
        properties = yaml.safe_load((folder / f"{folder.name}.yaml").read_text())
        fixed = {"data_path": str(folder.parent), "train_neg_sample_args": None, **properties}
        config = Config("SASRec", folder.name, config_dict={**fixed, **settings})
        return create_dataset(config)

    return load


AWKWARD = ['"quoted"', "NA", "null", "nan", "a\tb", "line\nbreak", " spaces ", "007", "1.0", "[PAD]"]


def test_awkward_ids_arrive_one_by_one(tmp_path: Path, stock) -> None:
    rows = [("None", [play(n, n) for n in range(10)]), ('"', [play(n, n) for n in range(9, -1, -1)])]
    write_interactions(tmp_path, rows, pa.string())
    write_tracks(tmp_path, list(range(10)), AWKWARD, domain=AWKWARD)
    assert main(["parquet", str(tmp_path), str(tmp_path), "--name", "x"]) == 0
    dataset = stock(tmp_path / "x")
    assert dataset.inter_num == 20
    assert dataset.item_num == 11  # and the padding
    assert dataset.user_num == 3


def test_item_features_load_too(tmp_path: Path, stock) -> None:
    """Not ``token_seq`` fields: RecBole 1.2.1 itself cannot number their tokens on pandas 3."""
    write_interactions(tmp_path, [(1, [play(n % 5, n) for n in range(12)])])
    years = pa.array(["90s", None, "00s", "90s"])
    counts = pa.array([7, 8, 9, 10])
    write_tracks(tmp_path, [0, 1, 2, 3], list("abcd"), year_category=years, track_count=counts)
    assert main(["parquet", str(tmp_path), str(tmp_path), "--name", "x"]) == 0
    columns = {
        "inter": ["user_id", "item_id", "timestamp", "rating"],
        "item": ["item_id", "year_category", "track_count"],
    }
    dataset = stock(tmp_path / "x", load_col=columns)
    assert dataset.inter_num == 12
    assert dataset.item_num == 6
    features = dataset.item_feat.set_index("item_id").loc[dataset.token2id("item_id", "c")]
    assert dataset.id2token("year_category", int(features["year_category"])) == "00s"
    assert float(features["track_count"]) == 9


def test_negative_plays_are_kept_and_stock_can_leave_them_out(tmp_path: Path, stock) -> None:
    assert main(["simulate", str(tmp_path), "--users", "20", "--items", "50", "--plays", "600"]) == 0
    lines = (tmp_path / "demo" / "demo.inter").read_text().splitlines()[1:]
    positive = sum(float(line.split("\t")[3]) > 0 for line in lines)
    assert stock(tmp_path / "demo").inter_num == 600
    assert stock(tmp_path / "demo", val_interval={"rating": "(0,inf)"}).inter_num == positive < 600
