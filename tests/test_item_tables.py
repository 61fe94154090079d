from __future__ import annotations

import pytest
import recbole.trainer
import torch
from helpers import build
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.model.rows import rows_at
from recbole_popaware.quick_start import run_recbole_popaware
from recbole_popaware.tables import TABLE_OPTIMIZERS, JointOptimizer, RowAdam, with_tables
from recbole_popaware.trainer import Trainer, read_checkpoint

MODELS = [("PopSASRec", {"share_embeddings": True}), ("PopSASRec", {"share_embeddings": False})]
MODELS += [("PopBERT4Rec", {"share_embeddings": True})]
STILL = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0}
EVERY_ROW = {"loss_type": "gBCE", "negatives": 256, **STILL}  # of the 15 items of the toy data


def table_and_steps(seed, n_rows, n_steps, scale):
    """A table, and rows and gradients of some steps."""
    random = torch.Generator().manual_seed(seed)
    table = torch.randn(n_rows, 3, generator=random)
    gradients = torch.randn(n_steps, n_rows, 3, generator=random) * scale
    return table, gradients


def moved(kind, table, gradients, rows, sparse):
    """A table after steps along the gradients of some rows."""
    table = nn.Parameter(table.clone())
    optimizer = kind([table], lr=0.1)
    for gradient, touched in zip(gradients, rows):
        optimizer.zero_grad()
        (rows_at(table, touched, sparse) * gradient[touched]).sum().backward()
        optimizer.step()
    return table.detach()


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from([1e-10, 1e-8, 1e-3, 1.0]), st.integers(1, 20))
def test_adam_over_rows_is_adam_where_every_row_is_touched(seed, scale, n_steps):
    """Also where gradients are as small as epsilon, and in the first steps."""
    table, gradients = table_and_steps(seed, 4, n_steps, scale)
    rows = [torch.tensor([2, 0, 1, 3])] * n_steps
    expected = moved(torch.optim.Adam, table, gradients, rows, sparse=False)
    actual = moved(RowAdam, table, gradients, rows, sparse=True)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)


@settings(max_examples=10)
@given(st.data())
def test_adagrad_over_rows_is_adagrad_whatever_rows_are_touched(data):
    table, gradients = table_and_steps(data.draw(st.integers(0, 1000)), 6, 5, 1.0)
    touched = st.lists(st.integers(0, 5), max_size=9).map(lambda r: torch.tensor(r, dtype=torch.long))
    rows = [data.draw(touched) for _ in range(5)]
    expected = moved(torch.optim.Adagrad, table, gradients, rows, sparse=False)
    actual = moved(TABLE_OPTIMIZERS["sparse_adagrad"], table, gradients, rows, sparse=True)
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("kind", TABLE_OPTIMIZERS)
def test_rows_that_no_step_touches_stay(kind):
    dense, table, bias = (nn.Parameter(torch.ones(shape)) for shape in ((2,), (5, 3), (5,)))
    optimizer = with_tables(torch.optim.Adam([dense], lr=0.1), [table, bias], kind, None)
    for touched in ([1, 3, 3], [3], []):
        optimizer.zero_grad()
        index = torch.tensor(touched, dtype=torch.long)
        looked_up = rows_at(table, index, sparse=True).sum() + rows_at(bias, index, sparse=True).sum()
        (looked_up + dense.sum()).backward()
        assert table.grad.is_coalesced(), "a row that is looked up twice has one gradient"
        optimizer.step()
    for parameter in (table, bias):
        assert (parameter[[0, 2, 4]] == 1).all()
        assert (parameter[[1, 3]] < 1).all()


def test_gradients_of_all_parameters_are_clipped_by_one_norm():
    """By hand: two times the gradient 3 in row 1, and 4 twice; the norm is the root of 36 + 32."""
    dense, table = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(4, 1))
    plain = torch.optim.SGD([dense], lr=1.0), torch.optim.SGD([table], lr=1.0)
    optimizer = JointOptimizer(plain, {"max_norm": 1.0})
    (3 * rows_at(table, torch.tensor([1, 1]), sparse=True).sum() + 4 * dense.sum()).backward()
    table.grad = table.grad.coalesce()
    optimizer.step()
    norm = 68**0.5
    torch.testing.assert_close(dense.detach(), torch.full((2,), 1 - 4 / norm))
    torch.testing.assert_close(table.detach()[:, 0], torch.tensor([1, 1 - 6 / norm, 1, 1]))


@pytest.mark.parametrize(
    ("loss_type", "shared"), [("SampledCE", True), ("BPR", False), ("BCE", True), ("gBCE", "window")]
)
@pytest.mark.parametrize(("model", "more"), MODELS)
def test_sparse_gradients_are_the_dense_ones(toy, model, more, loss_type, shared):
    chosen = {**toy, **STILL, **more, "loss_type": loss_type, "shared_negatives": shared, "negatives": 4}
    losses, gradients = [], []
    for kind in ("dense", "sparse_adam"):
        experiment = build(model, chosen, table_optimizer=kind)
        torch.manual_seed(3)
        loss = experiment.model.calculate_loss(next(iter(experiment.train_data)))
        loss.backward()
        losses.append(loss.item())
        gradients.append({name: p.grad for name, p in experiment.model.named_parameters()})
    assert losses[0] == losses[1]
    tables = {name for name, gradient in gradients[1].items() if gradient.is_sparse}
    expected = {"item_embedding.weight", "output_embedding.weight", "output_bias"} & gradients[1].keys()
    assert tables == expected
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name].to_dense(), gradient)


@pytest.mark.parametrize(("model", "more"), MODELS)
def test_training_that_touches_every_row_ends_as_the_dense_one(toy, model, more):
    """With warm-up, betas of Adam's, a head with a rate of its own, and clipping."""
    chosen = {**toy, **EVERY_ROW, **more, "epochs": 12, "learning_rate": 0.01}  # of one batch each
    chosen.update(warmup_steps=3, learning_rate_schedule="linear", adam_betas=[0.8, 0.98])
    chosen.update(pps_learn=["alpha"], pps_learning_rate=0.05, clip_grad_norm={"max_norm": 0.02})
    ends = []
    for kind in ("dense", "sparse_adam"):
        experiment = build(model, chosen, table_optimizer=kind)
        Trainer(experiment.config, experiment.model).fit(experiment.train_data, verbose=False)
        ends.append(experiment.model.state_dict())
    first = build(model, chosen).model.state_dict()
    for name, weight in ends[0].items():
        torch.testing.assert_close(ends[1][name], weight, atol=2e-4, rtol=1e-3, msg=name)
    assert (ends[0]["item_embedding.weight"] - first["item_embedding.weight"]).abs().max() > 0.02


@pytest.mark.parametrize("kind", TABLE_OPTIMIZERS)
def test_a_resumed_training_ends_as_an_uninterrupted_one(toy, kind, monkeypatch):
    """Every epoch counts as the best one, so that the checkpoint is that of the epoch before the stop."""
    scores, valid_epoch = iter(range(1, 100)), recbole.trainer.Trainer._valid_epoch
    every_epoch = lambda *args, **kwargs: (next(scores), valid_epoch(*args, **kwargs)[1])  # noqa: E731  # short
    monkeypatch.setattr(recbole.trainer.Trainer, "_valid_epoch", every_epoch)
    chosen = {**toy, "learning_rate": 0.01, "train_batch_size": 9, "table_optimizer": kind, "epochs": 4}

    def train(**more):
        return run_recbole_popaware("PopGSASRec", config_dict={**chosen, **more})["checkpoint"]

    whole = train()
    resumed = train(resume_from=train(epochs=2), seed=999)
    one, other = (read_checkpoint(file) for file in (whole, resumed))
    for name, weight in one["state_dict"].items():
        assert torch.equal(weight, other["state_dict"][name]), name
    assert one["optimizer"]["param_groups"] == other["optimizer"]["param_groups"]
    with pytest.raises(UsageError, match="does not fit"):
        train(resume_from=whole, table_optimizer="dense", epochs=5)


def test_half_precision_leaves_the_table_whole(toy):
    experiment = build("PopGSASRec", toy, table_optimizer="sparse_adam", enable_amp=True)
    before = experiment.model.item_embedding.weight.detach().clone()
    Trainer(experiment.config, experiment.model).fit(experiment.train_data, verbose=False)
    after = experiment.model.item_embedding.weight
    assert after.dtype == torch.float32
    assert after.isfinite().all()
    assert not torch.equal(after, before)


@pytest.mark.parametrize(
    ("model", "wrong", "message"),
    [
        ("PopSASRec", {"loss_type": "CE"}, "loss_type: CE scores every item .* --loss_type=SampledCE"),
        ("PopGSASRec", {"weight_decay": 0.1}, "weight_decay: 0.1 moves every row"),
        ("SASRec", {}, "table_optimizer: sparse_adam is not for SASRec"),
        ("PopGRU4Rec", {}, "table_optimizer: sparse_adam is not for PopGRU4Rec"),
        ("PopGSASRec", {"output": "countnet"}, "output: countnet reads whole tables"),
        ("PopGSASRec", {"table_optimizer": "adam"}, "dense, sparse_adam, sparse_adagrad"),
    ],
)
def test_what_cannot_be_sparse_is_refused_in_one_line(toy, model, wrong, message):
    with pytest.raises(UsageError, match=message) as caught:
        Config(model, config_dict={**toy, "table_optimizer": "sparse_adam", **wrong}, argv=())
    assert "\n" not in str(caught.value)
