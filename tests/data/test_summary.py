from __future__ import annotations

import json
from pathlib import Path

import torch
from helpers import build, write_atomic

import recbole_popaware
from recbole_popaware.config import Config
from recbole_popaware.data.summary import summarize
from recbole_popaware.data.utils import create_dataset

DEMO = Path(recbole_popaware.__file__).parent / "dataset_example" / "demo" / "demo.stats.json"


def test_neither_padding_nor_unplayed_items_count():
    users, items = torch.tensor([1, 1, 1, 2]), torch.tensor([1, 1, 4, 2])
    facts = summarize(torch.bincount(users), torch.bincount(items))
    assert list(facts.values()) == [2, 2.0, 3, 4 / 3, 4, f"{100 * (1 - 4 / 6):.4f}%"]


def test_training_and_converter_tell_the_same():
    config = {"eval_args": {"split": {"GTS": [0.8, 0.1, 0.1]}, "order": "TO"}}
    text = str(create_dataset(Config("PopSASRec", "demo", config_dict=config, argv=())))
    written = json.loads(DEMO.read_text())
    users, items, plays = (written[name] for name in ("users", "items", "plays"))
    for value in (users, items, plays, f"{1 - plays / (users * items):.4%}"):
        assert f": {value}\n" in text


def test_what_is_told_stays_when_the_data_are_split(toy, tmp_path):
    plays = [("u", "a", 1), ("u", "b", 2), ("u", "a", 3), ("v", "b", 1), ("v", "a", 2), ("v", "b", 3)]
    write_atomic(tmp_path / "data", "toy", plays)
    text = str(build("MostPop", toy, eval_args={"split": {"RS": [1, 1, 1]}, "order": "TO"}).dataset)
    for value in (2, 3.0, 6, "-50.0000%"):
        assert f": {value}\n" in text
