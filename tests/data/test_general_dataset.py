"""General models see what sequential ones see: the same users, histories and targets, and nothing hidden."""

from __future__ import annotations

import pytest
import torch
from helpers import GTS, SMALL, TIMELINES, build, looping_plays, plays_of, write_atomic
from recbole.data.dataloader import FullSortEvalDataLoader

from recbole_popaware.config import Config
from recbole_popaware.data.general import GeneralDataset
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import train

LS = {"split": {"LS": "valid_and_test"}, "order": "TO"}


PLAYS = looping_plays(n_items=40)  # so that nobody has played all


@pytest.fixture
def toy(tmp_path):
    write_atomic(tmp_path / "data", "toy", PLAYS)
    return {**SMALL, "data_path": str(tmp_path / "data"), "dataset": "toy"}


@pytest.fixture
def drawn(toy, tmp_path):
    write_atomic(tmp_path / "data", "drawn", plays_of(TIMELINES))
    return {**toy, "dataset": "drawn", "topk": [2], "metrics": ["NDCG"], "valid_metric": "NDCG@2"}


def names(part, field):
    return part.field2id_token[field][part.inter_feat[field].numpy()].tolist()


def batches(loader):
    """Users, target items with gains, and what is hidden, of all batches."""
    rows = []
    for interaction, hidden, _, _ in loader:
        fields = ("user_id", "history_end", "target_items", "target_gains")
        rows += zip(*(interaction[field].tolist() for field in fields if field in interaction), strict=True)
        assert hidden is None or len(hidden) == 2
    return rows


def test_gts_trains_on_every_positive_play_before_the_border(drawn):
    part = build("Pop", drawn, eval_args=GTS).train_data.dataset
    plays = [(u, i) for u, i, _, r in plays_of(TIMELINES) if r > 0]
    before = {"ann": 5, "bob": 4, "cyd": 2, "dee": 0}  # left of the first | in the drawing
    expected = []
    for user, n in before.items():
        expected += [play for play in plays if play[0] == user][:n]
    assert sorted(zip(names(part, "user_id"), names(part, "item_id"), strict=True)) == sorted(expected)
    assert part.item_plays().sum() == len(expected)
    assert part.inter_matrix("csr").sum() == len(expected)


@pytest.mark.parametrize(
    "more", [{}, {"targets": "next"}, {"mask_history": True}, {"kept_users": "eligible"}]
)
def test_gts_asks_for_the_users_and_targets_of_sequential_models(drawn, more):
    sequential, general = (build(model, drawn, eval_args=GTS, **more) for model in ("PopSASRec", "Pop"))
    for phase in ("valid_data", "test_data"):
        mine, theirs = batches(getattr(general, phase)), batches(getattr(sequential, phase))
        assert mine == theirs
    assert batches(general.test_data)


def test_leave_one_out_asks_for_the_users_and_targets_of_sequential_models(toy):
    sequential, general = (build(model, toy, eval_args=LS) for model in ("PopSASRec", "BPR"))
    for phase in ("valid_data", "test_data"):
        fields = ("user_id", "item_id", "history_end")
        mine, theirs = (getattr(e, phase).dataset.inter_feat for e in (general, sequential))
        for field in fields:
            assert torch.equal(mine[field], theirs[field])
    for interaction, hidden, rows, items in general.test_data:
        assert hidden is None
        assert torch.equal(rows, torch.arange(len(interaction)))
        assert torch.equal(items, interaction["item_id"])


def test_leave_one_out_trains_on_all_plays_but_two_a_user(toy):
    plays = sorted(PLAYS, key=lambda play: (play[0], play[2]))
    by_user = {user: [i for u, i, _ in plays if u == user] for user in {play[0] for play in plays}}
    part = build("BPR", toy, eval_args=LS).train_data.dataset
    expected = [(user, item) for user, items in by_user.items() for item in items[:-2]]
    assert sorted(zip(names(part, "user_id"), names(part, "item_id"), strict=True)) == sorted(expected)


def test_a_user_with_one_play_trains_and_is_not_asked(toy, tmp_path):
    lonely = [*PLAYS, ("once", "i1", 1_600_000_000)]
    write_atomic(tmp_path / "data", "toy", lonely)
    experiment = build("BPR", toy, eval_args=LS)
    assert names(experiment.train_data.dataset, "user_id").count("once") == 1
    assert "once" not in names(experiment.test_data.dataset, "user_id")


def test_played_items_are_hidden_where_mask_history_says_so_and_no_others(drawn):
    experiment = build("Pop", drawn, eval_args=GTS, mask_history=True)
    history, items = experiment.dataset.history, 0
    for interaction, (rows, hidden), _, _ in experiment.test_data:
        for row, (user, end) in enumerate(
            zip(interaction["user_id"].tolist(), interaction["history_end"].tolist(), strict=True)
        ):
            played = set(history.items[history.starts[user] : end].tolist())
            assert set(hidden[rows == row].tolist()) == played
            items += len(played)
    assert items


def test_negatives_are_drawn_without_a_look_at_later_plays(tmp_path, toy):
    """All items but one are the user's before the border; that one is played later, and is the negative."""
    time = 1_600_000_000
    early = [(f"u{u}", f"i{n}", time + n) for u in range(3) for n in range(8) if n != u]
    late = [(f"u{u}", f"i{u}", time + 100) for u in range(3)]
    write_atomic(tmp_path / "data", "toy", early + late)
    split = {"split": {"GTS": [0.8, 0.05, 0.15]}}
    loader = build("BPR", toy, eval_args=split, topk=[2], valid_metric="NDCG@2").train_data
    negatives = set()
    for batch in loader:
        negatives |= set(zip(batch["user_id"].tolist(), batch["neg_item_id"].tolist(), strict=True))
    users, items = (loader.dataset.field2token_id[field] for field in ("user_id", "item_id"))
    assert (users["u0"], items["i0"]) in negatives


def test_recbole_s_own_defaults_stay_recbole_s(toy):
    experiment = build("BPR", toy)
    assert not isinstance(experiment.dataset, GeneralDataset)
    assert type(experiment.test_data) is FullSortEvalDataLoader
    config = experiment.config
    assert config["eval_args"]["split"] == {"RS": [0.8, 0.1, 0.1]}
    assert config["eval_args"]["order"] == "RO"
    assert (config["valid_metric"], config["stopping_step"]) == ("MRR@10", 10)


@pytest.mark.parametrize("eval_args", [LS, {"split": {"GTS": [0.6, 0.2, 0.2]}}])
def test_under_the_splits_of_sequential_models_evaluation_has_their_defaults(toy, eval_args):
    general, sequential = (
        Config(model, config_dict={**toy, "eval_args": eval_args}, argv=()) for model in ("EASE", "SASRec")
    )
    for name in ("eval_args", "metrics", "topk", "valid_metric", "eval_batch_size", "load_col", "targets"):
        assert general[name] == sequential[name], name
    assert general["stopping_step"] == 10  # training keeps RecBole's


def test_a_file_of_the_data_set_wins_over_those_defaults(toy, tmp_path):
    (tmp_path / "data" / "toy" / "toy.yaml").write_text("metrics: [MRR]\nvalid_metric: MRR@5\ntopk: [5]\n")
    config = Config("EASE", config_dict={**toy, "eval_args": LS}, argv=())
    assert (config["metrics"], config["valid_metric"], config["topk"]) == (["MRR"], "MRR@5", [5])


@pytest.mark.parametrize(
    "eval_args", [{"split": {"LS": "valid_and_test"}}, {**LS, "mode": "uni5"}, {"split": {"RS": [8, 1, 1]}}]
)
def test_measures_of_repeats_are_refused_before_data_are_read_where_there_are_no_histories(toy, eval_args):
    settings = {**toy, "eval_args": eval_args, "metrics": ["RepeatRecall"], "valid_metric": "RepeatRecall@10"}
    with pytest.raises(UsageError, match="RepeatRecall need"):
        Config("BPR", config_dict=settings, argv=())


def test_pop_under_gts_counts_no_negatives(drawn):
    """With a batch a play, as RecBole's Pop counts an item once a batch."""
    config = Config("Pop", config_dict={**drawn, "eval_args": GTS, "train_batch_size": 1}, argv=())
    trained = train(config)
    counted = trained.trainer.model.item_cnt.squeeze(1)
    assert torch.equal(counted, trained.prepared.train_data.dataset.item_plays())
