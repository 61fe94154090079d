"""RecBole's tests/hyper_tuning: a search by each algorithm."""

from __future__ import annotations

import pytest
import yaml
from either_recbole import search


@pytest.mark.parametrize("algo", ["exhaustive", "random", "bayes"])
def test_search(shaped, tmp_path, algo):
    fixed, space = tmp_path / "fixed.yaml", tmp_path / "some.hyper"
    fixed.write_text(yaml.safe_dump({**shaped, "model": "BPR", "embedding_size": 8}))
    space.write_text("learning_rate choice [0.01,0.001]\ntrain_batch_size choice [256,512]\n")
    found = search(algo, space, fixed)
    assert found["learning_rate"] in (0.01, 0.001)
    assert found["train_batch_size"] in (256, 512)
