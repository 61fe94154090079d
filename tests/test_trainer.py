from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import recbole.trainer
import torch
from helpers import build
from recbole.utils import ModelType

from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware
from recbole_popaware.schema import memory
from recbole_popaware.trainer import Trainer, TrainerAdapter, read_checkpoint
from recbole_popaware.utils import get_trainer


def train(model, settings, **more):
    return run_recbole_popaware(model, config_dict={**settings, **more})


def test_a_checkpoint_holds_tensors_and_plain_values_only(toy):
    file = train("PopSASRec", toy)["checkpoint"]
    checkpoint = torch.load(file, weights_only=True)
    assert json.loads(checkpoint["settings"])["model"] == "PopSASRec"
    assert set(checkpoint) == {
        *("settings", "epoch", "cur_step", "best_valid_score"),
        *("state_dict", "item_numbering", "catalogue", "other_parameter", "optimizer"),
        *("best_valid_result", "train_loss", "random"),
    }


@pytest.mark.parametrize("model", ["PopSASRec", "PopBERT4Rec", "MostPop", "PersonalizedMostPop", "GRU4Rec"])
def test_a_loaded_model_scores_as_the_trained_one(toy, model):
    result = train(model, toy, epochs=2)
    loaded = load_data_and_model(result["checkpoint"])
    trainer = get_trainer(loaded.config["MODEL_TYPE"], model)(loaded.config, loaded.model)
    assert trainer.evaluate(loaded.test_data, load_best_model=False) == result["test_result"]


def test_settings_in_a_checkpoint_are_not_run(toy, tmp_path):
    file = train("MostPop", toy)["checkpoint"]
    checkpoint = torch.load(file, weights_only=True)
    settings = json.loads(checkpoint["settings"])
    settings["note"] = f"open({str(tmp_path / 'ran')!r}, 'w')"
    torch.save({**checkpoint, "settings": json.dumps(settings)}, file)
    assert load_data_and_model(file).config["note"] == settings["note"]
    assert not (tmp_path / "ran").exists()


def test_a_stock_checkpoint_loads_only_on_request(toy):
    ours = build("SASRec", toy)
    stock = recbole.trainer.Trainer(ours.config, ours.model)
    stock._save_checkpoint(0, verbose=False)
    file = stock.saved_model_file
    with pytest.raises(UsageError, match="trust_pickle"):
        load_data_and_model(file)
    loaded = load_data_and_model(file, trust_pickle=True)
    for name, weight in ours.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weight)


def test_files_that_are_no_checkpoints_are_refused(tmp_path, toy):
    file = tmp_path / "model.pth"
    with pytest.raises(UsageError, match="not there"):
        read_checkpoint(file)
    whole = train("MostPop", toy)["checkpoint"]
    for content in (b"", b"plain text", pickle.dumps({"a": 1}), Path(whole).read_bytes()[:900]):
        file.write_bytes(content)
        with pytest.raises(UsageError, match=r"model\.pth"):
            read_checkpoint(file)


def test_a_model_of_other_data_is_refused(toy, tmp_path):
    result = train("PopSASRec", toy)
    inter = tmp_path / "data" / "toy" / "toy.inter"
    inter.write_text(inter.read_text() + "u0\tnew\t1700000000\n")
    with pytest.raises(UsageError, match="does not fit"):
        load_data_and_model(result["checkpoint"])


def test_a_model_of_the_same_items_in_another_order_is_refused(toy, tmp_path):
    result = train("PopSASRec", toy)
    inter = tmp_path / "data" / "toy" / "toy.inter"
    head, *rows = inter.read_text().splitlines()
    inter.write_text("\n".join([head, *rows, rows[-1]]) + "\n")
    assert load_data_and_model(result["checkpoint"])  # one more play of an item and a user that are known
    inter.write_text("\n".join([head, *rows[::-1]]) + "\n")
    with pytest.raises(UsageError, match="numbers items otherwise"):
        load_data_and_model(result["checkpoint"])


def test_an_interrupted_save_leaves_the_last_checkpoint(toy, monkeypatch, tmp_path):
    experiment = build("PopSASRec", toy)
    trainer = Trainer(experiment.config, experiment.model)
    trainer._save_checkpoint(1, verbose=False)
    save = torch.save

    def interrupted(state, file):
        save(state, file)
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer._save_checkpoint(2, verbose=False)
    assert read_checkpoint(trainer.saved_model_file)["epoch"] == 1
    assert [f.suffix for f in (tmp_path / "saved").iterdir()] == [".pth"]


def test_training_goes_on_where_a_checkpoint_stands(toy):
    experiment = build("PopSASRec", toy, epochs=3)
    first = Trainer(experiment.config, experiment.model)
    first.fit(experiment.train_data, verbose=False)
    second = Trainer(experiment.config, build("PopSASRec", toy, epochs=3).model)
    second.resume_checkpoint(first.saved_model_file)
    assert second.start_epoch == 3
    for name, weight in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], weight)
    moments = [t.optimizer.state_dict()["state"][0]["exp_avg"] for t in (first, second)]
    assert torch.equal(*moments)


def test_the_best_epoch_is_what_is_tested(toy, monkeypatch):
    """Later epochs spoil the weights and validate worse; the test result must be the first epoch's."""
    expected = train("PopSASRec", toy, epochs=1)["test_result"]
    train_epoch = Trainer._train_epoch

    def spoil_later(self, data, index, *args, **kwargs):
        if index == 0:
            return train_epoch(self, data, index, *args, **kwargs)
        for parameter in self.model.parameters():
            torch.nn.init.normal_(parameter, std=50.0)
        return 0.0

    scores = iter([0.9, 0.5, 0.4])
    monkeypatch.setattr(Trainer, "_train_epoch", spoil_later)
    monkeypatch.setattr(Trainer, "_valid_epoch", lambda *_, **__: (next(scores), {"ndcg@10": 0.0}))
    assert train("PopSASRec", toy, epochs=3)["test_result"] == expected


def test_models_that_do_not_learn_are_evaluated_once(toy):
    experiment = build("PersonalizedMostPop", toy, epochs=50)
    trainer = Trainer(experiment.config, experiment.model)
    assert trainer.epochs == 1
    score, _ = trainer.fit(experiment.train_data, experiment.valid_data, verbose=False)
    assert score > 0


@pytest.mark.parametrize("model", ["SASRec", "PopSASRec", "S3Rec"])
def test_every_trainer_writes_our_checkpoints(model):
    assert issubclass(get_trainer(ModelType.SEQUENTIAL, model), TrainerAdapter)


LEARNING = {"learning_rate": 0.01, "epochs": 4, "stopping_step": 10, "train_batch_size": 9}


@pytest.mark.parametrize("model", ["PopSASRec", "PopBERT4Rec", "PopGSASRec", "SASRec"])
def test_a_resumed_training_ends_as_an_uninterrupted_one(toy, model, monkeypatch, tmp_path):
    """Every epoch counts as the best one, so that the checkpoint is that of the epoch before the stop."""
    scores = iter(range(1, 100))
    valid_epoch = recbole.trainer.Trainer._valid_epoch
    monkeypatch.setattr(
        recbole.trainer.Trainer,
        "_valid_epoch",
        lambda *args, **kwargs: (next(scores), valid_epoch(*args, **kwargs)[1]),
    )
    whole = train(model, toy, **LEARNING, hidden_dropout_prob=0.3)
    first = train(model, toy, **{**LEARNING, "epochs": 2}, hidden_dropout_prob=0.3, checkpoint_dir="half")
    second = train(model, toy, **LEARNING, hidden_dropout_prob=0.3, resume_from=first["checkpoint"], seed=999)
    assert second["test_result"] == whole["test_result"]
    assert second["best_valid_result"] == whole["best_valid_result"]
    assert second["epochs"] == whole["epochs"] == 4
    one, other = (read_checkpoint(result["checkpoint"]) for result in (whole, second))
    for name, weight in one["state_dict"].items():
        assert torch.equal(weight, other["state_dict"][name]), name
    assert one["train_loss"] == other["train_loss"]


@pytest.mark.parametrize("saved", [True, False])
def test_the_best_weights_are_those_evaluated(toy, saved, monkeypatch):
    """The first epoch is made the best; later ones change the weights, and none of that may remain."""
    after_epoch = []

    def valid_epoch(self, *args, **kwargs):
        after_epoch.append({k: v.clone() for k, v in self.model.state_dict().items()})
        return -len(after_epoch), {"ndcg@10": -len(after_epoch)}

    evaluated = []
    evaluate = recbole.trainer.Trainer.evaluate

    def spy(self, *args, **kwargs):
        result = evaluate(self, *args, **kwargs)
        evaluated.append({k: v.clone() for k, v in self.model.state_dict().items()})
        return result

    monkeypatch.setattr(recbole.trainer.Trainer, "_valid_epoch", valid_epoch)
    monkeypatch.setattr(recbole.trainer.Trainer, "evaluate", spy)
    result = run_recbole_popaware("PopSASRec", config_dict={**toy, **LEARNING}, saved=saved)
    assert len(after_epoch) == 4
    assert (result["checkpoint"] is not None) == saved
    weight = "item_embedding.weight"
    assert not torch.equal(after_epoch[0][weight], after_epoch[-1][weight])
    for name, value in evaluated[-1].items():
        assert torch.equal(value, after_epoch[0][name]), name


def test_a_checkpoint_of_something_else_is_not_resumed(toy):
    file = train("MostPop", toy)["checkpoint"]
    with pytest.raises(UsageError, match="of model MostPop, not PopSASRec"):
        train("PopSASRec", toy, resume_from=file)
    file = train("PopSASRec", toy)["checkpoint"]
    with pytest.raises(UsageError, match="does not fit"):
        train("PopSASRec", toy, resume_from=file, hidden_size=4)
    with pytest.raises(UsageError, match="not there"):
        train("PopSASRec", toy, resume_from="nowhere.pth")


def test_training_does_not_search_every_gradient_for_nan(toy, monkeypatch):
    """RecBole's SINE turns that on when RecBole's models are imported, ours or not."""
    seen = []
    epoch = recbole.trainer.Trainer._train_epoch
    monkeypatch.setattr(
        recbole.trainer.Trainer,
        "_train_epoch",
        lambda *args, **kwargs: (seen.append(torch.is_anomaly_enabled()), epoch(*args, **kwargs))[1],
    )
    with torch.autograd.set_detect_anomaly(True):
        train("PopSASRec", toy)
        assert torch.is_anomaly_enabled()
    assert seen == [False]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_says_what_to_try(toy, monkeypatch, value):
    experiment = build("PopSASRec", toy)
    loss = experiment.model.calculate_loss
    monkeypatch.setattr(experiment.model, "calculate_loss", lambda rows: loss(rows) + value)
    with pytest.raises(UsageError, match=rf"loss is {value}, .* lower learning_rate .* clip_grad_norm"):
        Trainer(experiment.config, experiment.model).fit(experiment.train_data, verbose=False)


def test_scores_that_are_no_numbers_are_not_ranked(toy):
    experiment = build("PopSASRec", toy)
    experiment.model.item_embedding.weight.data[3] = float("nan")
    trainer = Trainer(experiment.config, experiment.model)
    trainer.eval_collector.data_collect(experiment.train_data)
    with pytest.raises(UsageError, match="scores are nan"):
        trainer.evaluate(experiment.valid_data, load_best_model=False)


def test_few_rows_at_once_are_evaluated_alike(toy, monkeypatch):
    whole = train("PopSASRec", toy)["test_result"]
    n_items = build("PopSASRec", toy).dataset.item_num
    monkeypatch.setattr(memory, "SCORES_AT_ONCE", 3 * n_items + 1)
    assert {len(batch[0]) for batch in build("PopSASRec", toy).test_data} == {3}
    assert train("PopSASRec", toy)["test_result"] == whole
    assert build("PopSASRec", toy, eval_batch_size=2).config["eval_batch_size"] == 2
    monkeypatch.setattr(memory, "SCORES_AT_ONCE", 1)
    assert build("PopSASRec", toy).config["eval_batch_size"] == 1


def test_resuming_what_has_ended_keeps_its_epoch(toy):
    file = train("PopSASRec", toy, epochs=2)["checkpoint"]
    epoch = read_checkpoint(file)["epoch"]
    train("PopSASRec", toy, epochs=epoch + 1, resume_from=file)
    assert read_checkpoint(file)["epoch"] == epoch
    assert read_checkpoint(file)["best_valid_result"]
    assert train("PopSASRec", toy, epochs=epoch + 1, resume_from=file)["test_result"]
    unsaved = {**toy, "epochs": epoch + 1, "resume_from": file}
    assert run_recbole_popaware("PopSASRec", config_dict=unsaved, saved=False)["test_result"]
