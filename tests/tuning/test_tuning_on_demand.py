"""A search for properties of a model that is made on demand."""

from __future__ import annotations

import pytest

from recbole_popaware.launch import Request
from recbole_popaware.tuning.options import Options
from recbole_popaware.tuning.space import read_space
from recbole_popaware.tuning.tune import tune

pytest.importorskip("hyperopt", reason="hyperopt is not installed: pip install .[tune]")


def test_properties_of_the_head_and_of_the_network_are_searched(toy, tmp_path):
    file = tmp_path / "space.hyper"
    file.write_text("popularity_head choice ['none', 'softmax']\nhidden_size choice [4, 8]\n")
    settings = {**toy, "embedding_size": 8, "num_layers": 1}
    result = tune(Request("PopGRU4Rec", config_dict=settings), read_space(file), Options(algo="exhaustive"))
    assert len(result.trials) == 4
    assert {trial.params["popularity_head"] for trial in result.trials} == {"none", "softmax"}
    assert all(trial.score is not None for trial in result.trials)
