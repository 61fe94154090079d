"""RecBole's sequential models with the popularity head, made when they are asked for."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
import torch
from helpers import GTS, NEED_ITEM_IDS_ONLY, ROOT, build, looping_plays, save, write_atomic
from recbole.data.interaction import Interaction
from recbole.utils import init_seed
from torch import nn
from torch.nn.functional import cross_entropy, logsigmoid

import recbole_popaware
from recbole_popaware.cli import main
from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.model import on_demand
from recbole_popaware.model.adapter import Backbone, HeadAdapter
from recbole_popaware.model.on_demand import BACKBONES
from recbole_popaware.model.popularity_head import PopularityHead
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware
from recbole_popaware.recommending.options import Options
from recbole_popaware.utils import get_model, get_trainer

PAIRS = [
    pytest.param(name, loss, marks=[] if loss == backbone.losses[0] else pytest.mark.slow)
    for name, backbone in BACKBONES.items()
    for loss in backbone.losses
]


@pytest.fixture
def small(toy, tmp_path):
    """Settings of all models on the toy data, whose items have a feature."""
    kinds = [f"i{item}\t{'abc'[item % 3]}" for item in range(15)]
    file = tmp_path / "data" / "toy" / "toy.item"
    file.write_text("\n".join(["item_id:token\tclass:token", *kinds]) + "\n")
    return {
        **toy,
        "embedding_size": 8,
        "n_layers": 2,  # FEARec needs two
        "reranker_CAN_NUM": "5",  # of the CPR models, whose own 100 is more than there are items
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "class"]},
    }


def first_batch(experiment):
    init_seed(3, True)  # of the negatives
    return next(iter(experiment.train_data))


def build_pair(name, settings, loss, **more):
    """RecBole's model and ours, with a batch that both can learn from."""
    chosen = {**settings, "loss_type": loss}
    stock, ours = build(BACKBONES[name].name, chosen), build(name, chosen, **more)
    return stock.model, ours.model, first_batch(stock)


def learn(model, batch):
    """Loss and gradients."""
    init_seed(3, True)  # of the dropout
    loss = model.train().calculate_loss(batch)
    loss.backward()
    model.eval()
    return [loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_without_the_head_all_is_stock_s_to_the_last_bit(small, name, loss):
    stock, ours, batch = build_pair(name, small, loss, popularity_head="none")
    assert stock.state_dict().keys() == ours.state_dict().keys()
    expected, actual = (learn(model, batch) for model in (stock, ours))
    assert len(expected) == len(actual)
    assert all(torch.equal(one, other) for one, other in zip(expected, actual))
    with torch.no_grad():
        assert torch.equal(stock.full_sort_predict(batch), ours.full_sort_predict(batch))
        if "CPR" not in name:  # which cannot predict
            assert torch.equal(stock.predict(batch), ours.predict(batch))


class Recorder(nn.Module):
    """A loss that keeps what it was called with."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, *scores, **options):
        self.scores = scores
        self.value = self.loss(*scores, **options)
        return self.value


def joint_loss(recorded, head, batch, loss):
    """What a model's loss must be with the head, and which part of the stock loss it replaces."""
    if loss == "CE":
        scores, targets = recorded.scores
        return cross_entropy(scores + head, targets)
    positive, negative = (
        scores.view(-1) + head.gather(1, batch[field].unsqueeze(1)).squeeze(1)
        for scores, field in zip(recorded.scores, ("item_id", "neg_item_id"))
    )
    return -logsigmoid(positive - negative).mean()


@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_the_head_s_scores_are_added_and_the_rest_of_the_loss_stays(small, name, loss):
    stock, ours, batch = build_pair(name, small, loss, pps_epsilon=0.3)
    backbone, head = BACKBONES[name], PopularityHead(stock.n_items, epsilon=0.3)(batch["item_id_list"])
    with torch.no_grad():
        scores = stock.full_sort_predict(batch)
        expected = ((scores + 1e-8).log() if backbone.probabilities else scores) + head
        torch.testing.assert_close(ours.full_sort_predict(batch), expected)
        torch.testing.assert_close(ours.popularity_scores(batch), head)
        items = batch["item_id"].unsqueeze(1)
        if backbone.probabilities:
            chosen = expected.gather(1, items).squeeze(1)
        else:  # RecBole's CORE and SHAN do not rank and predict by the same scores
            chosen = stock.predict(batch) + head.gather(1, items).squeeze(1)
        torch.testing.assert_close(ours.predict(batch), chosen)
        setattr(stock, backbone.loss, recorded := Recorder(getattr(stock, backbone.loss)))
        init_seed(3, True)
        total = stock.calculate_loss(batch)
        init_seed(3, True)
        actual = ours.calculate_loss(batch)
    rest = total - recorded.value.mean()
    torch.testing.assert_close(actual, rest + joint_loss(recorded, head, batch, loss))


@pytest.mark.parametrize("name", ["PopGRU4Rec", "PopCaser", "PopRepeatNet", "PopFPMC"])
@pytest.mark.parametrize("history", ["window", "full", "5"])
def test_every_form_of_the_head_counts_every_history(small, name, history):
    loss = BACKBONES[name].losses[0]
    settings = {**small, "loss_type": loss, "pps_history": history, "MAX_ITEM_LIST_LENGTH": 4}
    of_network = build(name, settings, popularity_head="none").model
    for form in ("softmax", "sigmoid"):
        experiment = build(name, settings, popularity_head=form)
        batch, store = experiment.test_data.dataset[:3], experiment.test_data.dataset.history
        last = {"window": 4, "full": 1000, "5": 5}[history]
        with torch.no_grad():
            scores = of_network.full_sort_predict(batch)
            scores = (scores + 1e-8).log() if BACKBONES[name].probabilities else scores
            joint = experiment.model.full_sort_predict(batch)
        for row in range(3):
            user, end = int(batch["user_id"][row]), int(batch["history_end"][row])
            plays = store.items[max(int(store.starts[user]), end - last) : end]
            head = PopularityHead(experiment.model.n_items, form)(plays.unsqueeze(0))
            torch.testing.assert_close(joint[row], (scores[row] + head[0]))


@pytest.mark.parametrize("name", ["PopGRU4Rec", "PopSASRecCPR", "PopTransRec"])
def test_what_the_head_learns_has_gradients_and_a_learned_weight_starts_from_the_head_alone(small, name):
    learned = {"pps_learn": ["alpha", "eps", "d", "c"], "learn_network_weight": True, "pps_history": "full"}
    experiment = build(name, small, **learned)
    model, batch = experiment.model, first_batch(experiment)
    with torch.no_grad():
        torch.testing.assert_close(model.full_sort_predict(batch), model.popularity_scores(batch))
        torch.testing.assert_close(
            model.predict(batch),
            model.popularity_scores(batch).gather(1, batch["item_id"][:, None]).squeeze(1),
        )
    model.calculate_loss(batch).backward()
    for parameter in (model.network_weight, *model.popularity_head.parameters()):
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("form", ["none", "softmax"])
def test_the_network_s_weight_in_inference_is_tried_at_validations(small, form):
    settings = {"network_weights": [0, 1], "popularity_head": form}
    result = run_recbole_popaware("PopGRU4Rec", config_dict={**small, **settings})
    assert load_data_and_model(result["checkpoint"]).model.inference_weight in (0, 1)


def test_half_precision_trains(small):
    experiment = build("PopGRU4Rec", small)
    batch, model = first_batch(experiment), experiment.model
    expected = model.calculate_loss(batch)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.calculate_loss(batch)
    loss.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("name", BACKBONES)
def test_defaults_are_recbole_s_and_the_head_s(name):
    stock, ours = (Config(n, argv=()).final_config_dict for n in (BACKBONES[name].name, name))
    head = {"popularity_head", "learn_network_weight", "network_weights"}
    assert ours["popularity_head"] == "auto"
    more = {n for n in ours.keys() - stock.keys()}
    assert head <= more
    assert {n for n in more - head if not n.startswith("pps_")} == set()
    assert {n for n in stock if stock[n] != ours[n]} == {"model"}


def test_names_are_those_of_recbole_with_pop_before_them():
    assert len(BACKBONES) >= 15
    for name, backbone in BACKBONES.items():
        made = get_model(name)
        assert made.__name__ == name
        assert get_model(backbone.name) in made.__mro__
        assert pickle.loads(pickle.dumps(made)) is made  # noqa: S301  # made here
    with pytest.raises(ImportError):
        from recbole_popaware.model.on_demand import PopNothing  # noqa: F401


def test_the_documentation_lists_them_with_their_losses():
    text = (ROOT / "docs" / "models.md").read_text()
    rows = re.findall(r"^\| (Pop\w+) \| ([A-Z, ]+) \| ([^|]+) \|", text, re.MULTILINE)
    assert [(name, losses, scores == "log-probabilities") for name, losses, scores in rows] == [
        (name, ", ".join(backbone.losses), backbone.probabilities) for name, backbone in BACKBONES.items()
    ]
    assert all(stock in text for stock in on_demand.UNSUITED)


def test_a_model_of_one_s_own_takes_the_adapter(small):
    made = type("PopMine", (HeadAdapter, get_model("GRU4Rec")), {"backbone": Backbone("GRU4Rec")})
    result = run_recbole_popaware(made, config_dict=small)
    named = run_recbole_popaware("PopGRU4Rec", config_dict=small)
    assert result["test_result"] == named["test_result"]


def test_no_model_of_ids_is_forgotten():
    ours = {"BERT4Rec", "SASRec"}  # PopBERT4Rec and PopSASRec
    known = {b.name for b in BACKBONES.values()} | on_demand.UNSUITED.keys() | ours
    assert set(NEED_ITEM_IDS_ONLY) <= known


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PopDIN", "DIN .* label of each user and item"),
        ("PopKSR", "data set class of its own"),
        ("PopS3Rec", "two stages"),
        ("PopLightGCN", "no sequential model"),
        ("popgru4rec", "did you mean PopGRU4Rec?"),
        ("PopNextItNets", "did you mean PopNextItNet?"),
        ("PopNothing", "adds the popularity head to Caser, CORE"),
    ],
)
def test_other_names_are_refused_in_one_line(name, message, capsys):
    assert main([f"--model={name}"]) == 2
    with pytest.raises(UsageError, match=message):
        get_model(name)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "GRU4Rec" in line


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("PopCORE", {"loss_type": "BPR"}, "must be CE"),
        ("PopFPMC", {"loss_type": "CE"}, "must be BPR"),
        ("PopTransRec", {"loss_type": "CE"}, "must be BPR"),
        ("PopSINE", {"loss_type": "NLL"}, "must be CE or BPR"),
        ("PopRepeatNet", {"loss_type": "gBCE"}, "must be CE"),
        ("PopGRU4Rec", {"train_targets": "all"}, "not for PopGRU4Rec"),
        ("PopGRU4Rec", {"pps_learn": ["z"]}, "pps_learn"),
    ],
)
def test_settings_that_a_model_cannot_take_are_refused(name, settings, message):
    with pytest.raises(UsageError, match=message):
        Config(name, config_dict=settings, argv=())


def test_a_whole_history_needs_one(small):
    experiment = build("PopGRU4Rec", small, pps_history="full")
    experiment.dataset.history = None
    with pytest.raises(UsageError, match="whole histories"):
        get_model("PopGRU4Rec")(experiment.config, experiment.dataset)


@pytest.mark.parametrize("name", ["PopGRU4Rec", "PopHGN", "PopFPMC", "PopSASRecCPR"])
def test_users_that_training_did_not_know_are_padding_for_the_network(small, name, tmp_path):
    file = save(name, small, pps_history="full")
    plays = [(f"new {user}", item, time) for user, item, time in looping_plays(n_users=14)]
    options = Options(history=write_atomic(tmp_path, "later", plays))
    frame = recbole_popaware.recommend(file, topk=5, options=options)
    assert len(frame) == 14 * 5
    assert frame.popularity_score.notna().all()
    loaded = load_data_and_model(file)
    padding, unknown = (loaded.dataset.latest_rows(torch.arange(1, 4)) for _ in range(2))
    padding.interaction["user_id"], unknown.interaction["user_id"] = (
        torch.zeros(3).long(),
        torch.full((3,), 99),
    )
    with torch.no_grad():
        model = loaded.model.eval()
        assert torch.equal(model.network_scores(unknown), model.network_scores(padding))
    assert (unknown["user_id"] == 99).all()


def test_rows_without_users_are_scored_where_the_model_reads_none(small):
    model = build("PopGRU4Rec", small).model
    windows, lengths = torch.tensor([[3, 3, 5, 0, 0, 0, 0, 0]]), torch.tensor([3])
    rows = Interaction({"item_id_list": windows, "item_length": lengths})
    with torch.no_grad():
        scores = model.full_sort_predict(rows) - model.network_scores(rows)
    torch.testing.assert_close(scores, PopularityHead(model.n_items)(windows))


@pytest.mark.parametrize("name", ["PopGRU4Rec", "PopFPMC", "PopSASRecCPR"])
def test_a_model_is_evaluated_on_sampled_items(small, name):
    """RecBole's CPR models cannot; with the head they score candidates by their catalogue scores."""
    sampled = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "uni5"}
    result = run_recbole_popaware(
        name, config_dict={**small, "eval_args": sampled, "topk": [6], "valid_metric": "NDCG@6"}
    )
    assert result["test_result"]["recall@6"] == 1  # of the target and five others


def check_round_trip(name, settings):
    """Train, load and recommend: results and lists are those of the loaded model's scores."""
    result = run_recbole_popaware(name, config_dict=settings)
    loaded = load_data_and_model(result["checkpoint"])
    trainer = get_trainer(loaded.config["MODEL_TYPE"], name)(loaded.config, loaded.model)
    assert trainer.evaluate(loaded.test_data, load_best_model=False) == result["test_result"]
    frame = recbole_popaware.recommend(result["checkpoint"], topk=5)
    users = loaded.dataset.field2token_id["user_id"]
    order = torch.tensor([users[user] for user in frame.user_id.unique()])
    with torch.no_grad():
        scores = loaded.model.eval().full_sort_predict(loaded.dataset.latest_rows(order))
    scores[:, 0] = -torch.inf
    expected = scores.topk(5).values.flatten()
    np.testing.assert_allclose(frame.score, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(frame.score, frame.model_score + frame.popularity_score, rtol=1e-4, atol=1e-5)


EVERY = [
    pytest.param(name, marks=[] if name in ("PopGRU4Rec", "PopFPMC") else pytest.mark.slow)
    for name in BACKBONES
]


@pytest.mark.parametrize("split", [{}, GTS], ids=["leave-one-out", "GTS"])
@pytest.mark.parametrize("name", EVERY)
def test_a_model_trains_is_loaded_and_recommends(small, name, split):
    check_round_trip(name, {**small, **({"eval_args": split} if split else {})})


def test_a_learned_head_is_the_same_after_loading(small):
    learned = {"pps_learn": ["alpha", "d"], "pps_learning_rate": 0.1, "pps_history": "full"}
    check_round_trip("PopNARM", {**small, **learned})
