"""Lists from checkpoints of general models, which know the users they were trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import build, looping_plays, save, write_atomic
from recbole.data.interaction import Interaction

import recbole_popaware
from recbole_popaware.errors import UsageError
from recbole_popaware.recommending.recommender import Recommender
from recbole_popaware.recommending.show import explain

GTS = {"split": {"GTS": [0.6, 0.2, 0.2]}}


@pytest.fixture
def toy(toy, tmp_path):
    late = [("late", f"i{n}", 1_700_000_000 + n) for n in range(9)]
    write_atomic(tmp_path / "data", "toy", [*looping_plays(n_items=40), *late])
    return {**toy, "eval_args": GTS}


@pytest.mark.parametrize("model", ["EASE", "BPR", "NeuMF"])  # CPU only, by vectors, one item a row
def test_lists_are_those_of_the_model(toy, model):
    made = Recommender(save(model, toy), topk=5)
    frame = made.collect(*made.select(["u3", "u1"])).to_pandas()
    experiment = build(model, toy)
    row = {"u1": 0, "u3": 1}
    users = torch.tensor([experiment.dataset.token2id("user_id", user) for user in row])
    n_items = experiment.dataset.item_num
    pairs = {"user_id": users.repeat_interleave(n_items), "item_id": torch.arange(n_items).repeat(2)}
    scores = experiment.model.predict(Interaction(pairs)).view(2, -1).detach()
    scores[:, 0] = -torch.inf
    for user, listed in frame.groupby("user_id"):
        expected = scores[row[user]].sort(descending=True).values[:5]
        assert listed.score.to_numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-7)
        assert (listed.plays > 0).tolist() == (listed.kind == "repeat").tolist()


def test_users_whose_plays_all_come_later_get_the_popular_list(toy):
    made = Recommender(save("EASE", toy), topk=5)
    frame = made.collect(*made.select(["late", "nobody", "u1"])).to_pandas()
    late, nobody, known = (frame[frame.user_id == user] for user in ("late", "nobody", "u1"))
    assert late.item_id.tolist() == nobody.item_id.tolist()
    assert set(late.kind) == {"popular"}
    assert set(known.kind) <= {"repeat", "explore"}
    assert "late has no plays that the model knows" in explain(made, "late")


def test_new_histories_change_what_is_hidden_and_no_score(toy, tmp_path, caplog):
    file = write_atomic(tmp_path, "new", [("u1", "i5", 1), ("u1", "i5", 2), ("fresh", "i5", 3)])
    checkpoint = save("EASE", toy)
    before = recbole_popaware.recommend(checkpoint, ["u1"], topk=34)
    after = recbole_popaware.recommend(checkpoint, ["u1", "u2", "fresh"], topk=33, history=file)
    assert "EASE knows users by the plays it was trained on" in caplog.text
    mine = after[after.user_id == "u1"].set_index("item_id")
    was = before.set_index("item_id")
    np.testing.assert_allclose(mine.score, was.score[mine.index])
    assert mine.plays["i5"] == 2
    assert set(after[after.user_id == "u2"].kind) == {"explore"}
    assert set(after[after.user_id == "fresh"].kind) == {"popular"}
    hidden = recbole_popaware.recommend(checkpoint, ["u1"], topk=33, history=file, exclude_history=True)
    assert "i5" not in set(hidden.item_id)


def test_a_model_trained_as_recbole_splits_says_what_to_do(toy):
    checkpoint = save("EASE", {**toy, "eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO"}})
    with pytest.raises(UsageError, match=r"EASE was trained with a data set class of RecBole's own.*GTS"):
        recbole_popaware.recommend(checkpoint)
