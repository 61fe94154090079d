"""Networks with ``popularity_head: replay``: what trains what, and what scores are made of."""

from __future__ import annotations

import pytest
import torch
from helpers import GTS, SMALL, build, write_atomic

from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware
from recbole_popaware.replay.network import NetworkTerm, View

LOO = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"}
SPLITS = pytest.mark.parametrize("split", [GTS, LOO], ids=["GTS", "leave-one-out"])


@pytest.fixture
def toy(tmp_path):
    """Users who loop over a few items, one play an hour."""
    plays = [
        (f"u{user}", f"i{(2 * user + play * play) % 15}", 1_600_000_000 + 3600 * (12 * play + user))
        for play in range(40)
        for user in range(10)
    ]
    write_atomic(tmp_path / "data", "toy", plays)
    return {
        **SMALL,
        "data_path": str(tmp_path / "data"),
        "dataset": "toy",
        "popularity_head": "replay",
        "epochs": 2,
        "train_batch_size": 8,
    }


def batches(experiment):
    """Batches of windows, and those of requests."""
    field = experiment.config["EXAMPLE_FIELD"]
    parts = ([], [])
    for batch in experiment.train_data:
        parts[field in batch].append(batch)
    assert sum(map(len, parts)) == len(experiment.train_data)
    return parts


@SPLITS
@pytest.mark.parametrize("model", ["PopSASRec", "PopGSASRec", "PopBERT4Rec"])
def test_a_network_with_the_head_trains_and_loads(toy, model, split):
    result = run_recbole_popaware(model, config_dict={**toy, "eval_args": split})
    loaded = load_data_and_model(result["checkpoint"]).model.eval()
    again = load_data_and_model(result["checkpoint"])
    batch = next(iter(again.test_data))[0]
    with torch.no_grad():
        scores, terms = loaded.full_sort_predict(batch), loaded.term_scores(batch)
        torch.testing.assert_close(sum(terms.values()), scores)
        assert terms["network"].abs().sum() > 0
        both = loaded.network_scores(batch) + loaded.popularity_scores(batch)
        torch.testing.assert_close(both[:, 1:], scores[:, 1:])
        torch.testing.assert_close(scores, again.model.eval().full_sort_predict(batch))


@SPLITS
def test_requests_lie_behind_all_windows_that_the_network_is_trained_on(toy, split):
    experiment = build("PopSASRec", toy, eval_args=split)
    config, dataset = experiment.config, experiment.train_data.dataset
    windows, requests = batches(experiment)
    ends = torch.zeros(dataset.user_num, dtype=torch.int64)
    for batch in windows:
        users, last = batch[config["USER_ID_FIELD"]], batch[config["HISTORY_END_FIELD"]]
        ends.scatter_reduce_(0, users, last + 1, "amax")
    assert windows
    assert requests
    trained = dataset.trained_plays()
    for part in experiment.model.replay.requests:
        moments = part.moments
        assert (moments.ends >= ends[moments.users]).all()
        assert not (part.known & ~trained).any()


@SPLITS
def test_requests_train_the_head_alone_and_windows_the_network_alone(toy, split):
    experiment = build("PopSASRec", toy, eval_args=split)
    model = experiment.model.train()
    windows, requests = batches(experiment)
    for batch, of_head in ((windows[0], False), (requests[0], True)):
        model.zero_grad()
        model.calculate_loss(batch).backward()
        touched = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        assert touched
        assert {name.startswith("replay.") for name in touched} == {of_head}
        assert model.training


def test_windows_are_learned_as_without_the_head(toy):
    with_head, without = (build("PopSASRec", toy, popularity_head=head) for head in ("replay", "none"))
    without.model.load_state_dict(with_head.model.state_dict(), strict=False)
    batch = batches(with_head)[0][0]
    losses = []
    for experiment in (with_head, without):
        torch.manual_seed(0)
        losses.append(experiment.model.train().calculate_loss(batch))
    assert torch.equal(*losses)


def test_the_network_scores_by_its_scaled_and_centred_embeddings():
    term = NetworkTerm(4, 3, 5, 0.0)
    term.scales.data[0] = 2.0
    hidden, table = torch.randn(2, 4), torch.randn(6, 4)
    view, habits = View.of(hidden, table), torch.randn(2, 3)
    centred = hidden @ (table - table[1:].mean(0)).T * torch.nn.functional.softplus(torch.tensor(-2.0))
    torch.testing.assert_close(term.new(view, habits), centred)
    items = torch.tensor([[1, 3], [5, 2]])
    torch.testing.assert_close(term.new(view, habits, items), centred.gather(1, items))
    rows, played = torch.tensor([0, 1, 1]), torch.tensor([4, 1, 5])
    torch.testing.assert_close(term.played(view, habits, rows, played), 2 * centred[rows, played])


def test_a_model_without_all_targets_is_refused(toy):
    with pytest.raises(UsageError, match=r"replay needs train_targets: all.*PopOnly"):
        build("PopSASRec", toy, train_targets="next")
    with pytest.raises(UsageError, match="replay needs train_targets: all"):
        build("PopGRU4Rec", toy)
