from __future__ import annotations

import pytest
import recbole.trainer
import torch
from helpers import GTS, SMALL, arguments, build, write_atomic

import recbole_popaware
from recbole_popaware.cli import main
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware
from recbole_popaware.trainer import read_checkpoint
from recbole_popaware.utils import get_trainer

LOO = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"}
SPLITS = pytest.mark.parametrize("split", [GTS, LOO], ids=["GTS", "leave-one-out"])
FILE = ("data", "toy", "toy.inter")


@pytest.fixture
def toy(tmp_path):
    """Users who loop over a few items, one play an hour, with two groups of items."""
    plays = [
        (
            f"u{user}",
            f"i{(2 * user + play * play + play // 5) % 15}",
            1_600_000_000 + 3600 * (12 * play + user),
        )
        for play in range(24)
        for user in range(12)
    ]
    file = write_atomic(tmp_path / "data", "toy", plays)
    rows = [f"i{n}\tartist {n % 3}\ttitle {n}" for n in range(15)]
    file.with_suffix(".item").write_text(
        "\n".join(["item_id:token\tartist:token\ttitle:token", *rows]) + "\n"
    )
    return {
        **SMALL,
        "data_path": str(tmp_path / "data"),
        "dataset": "toy",
        "epochs": 2,
        "train_batch_size": 16,
    }


def train(settings, **more):
    return run_recbole_popaware("PopOnly", config_dict={**settings, **more})


def weights_of(result):
    return read_checkpoint(result["checkpoint"])["state_dict"]


def assert_equal_weights(one, other):
    assert one.keys() == other.keys()
    for name, weight in one.items():
        assert torch.equal(weight, other[name]), name


def scores_of(experiment, data="test_data"):
    experiment.model.eval()
    with torch.no_grad():
        return torch.cat(
            [experiment.model.full_sort_predict(batch[0]) for batch in getattr(experiment, data)]
        )


def head_of(experiment):
    return experiment.model.replay


@SPLITS
def test_it_trains_and_a_loaded_model_scores_alike(toy, split):
    result = train(toy, eval_args=split)
    loaded = load_data_and_model(result["checkpoint"])
    trainer = get_trainer(loaded.config["MODEL_TYPE"], "PopOnly")(loaded.config, loaded.model)
    assert trainer.evaluate(loaded.test_data, load_best_model=False) == result["test_result"]
    scores = scores_of(loaded)
    assert torch.equal(scores, scores_of(load_data_and_model(result["checkpoint"])))
    assert scores[:, 1:].isfinite().all()
    assert (scores[:, 0] == -torch.inf).all()


@SPLITS
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(toy, split):
    one, two, other = (weights_of(train(toy, eval_args=split, seed=seed, epochs=1)) for seed in (1, 1, 2))
    assert_equal_weights(one, two)
    assert any(not torch.equal(weight, other[name]) for name, weight in one.items())


@SPLITS
def test_a_resumed_training_ends_as_an_uninterrupted_one(toy, split, monkeypatch):
    """Every epoch counts as the best one, so that the checkpoint is that of the epoch before the stop."""
    results = iter(range(1, 100))
    valid_epoch = recbole.trainer.Trainer._valid_epoch
    monkeypatch.setattr(
        recbole.trainer.Trainer,
        "_valid_epoch",
        lambda *args, **kwargs: (next(results), valid_epoch(*args, **kwargs)[1]),
    )
    constant = {**toy, "eval_args": split, "learning_rate_schedule": "constant", "epochs": 2}
    whole = train(constant)
    half = train(constant, epochs=1, checkpoint_dir="half")
    resumed = train(constant, resume_from=half["checkpoint"], seed=999)
    assert resumed["test_result"] == whole["test_result"]
    assert_equal_weights(weights_of(resumed), weights_of(whole))


def test_training_lowers_the_loss(toy):
    losses = list(read_checkpoint(train(toy, epochs=8)["checkpoint"])["train_loss"].values())
    assert losses[-1] < losses[0]


@SPLITS
def test_at_the_start_it_is_the_faded_count_of_what_was_played(toy, split):
    experiment = build("PopOnly", toy, eval_args=split)
    counted = build("DecayedMostPop", toy, eval_args=split, pps_decay=1.3, pps_offset=20)
    for one, other in zip(scores_of(experiment), scores_of(counted), strict=True):
        played = other > 0
        strength = 0.01 * other[played].expm1()  # scores of DecayedMostPop are ln(1 + strength / .01)
        torch.testing.assert_close(one[played], strength.log(), rtol=1e-3, atol=1e-4)


@SPLITS
def test_terms_add_up_to_the_score(toy, split):
    experiment = load_data_and_model(train(toy, eval_args=split)["checkpoint"])
    experiment.model.eval()
    for batch, *_ in experiment.test_data:
        with torch.no_grad():
            terms = experiment.model.term_scores(batch)
            scores = experiment.model.full_sort_predict(batch)
            assert torch.equal(
                experiment.model.predict(batch), scores.gather(1, batch["item_id"].unsqueeze(1)).squeeze(1)
            )
        assert set(terms) == {"count", "record", "order", "spread", "new"}
        torch.testing.assert_close(sum(terms.values()), scores)


def test_a_row_scores_the_same_alone_as_among_others(toy):
    torch.testing.assert_close(*(scores_of(build("PopOnly", toy, eval_batch_size=n)) for n in (1, 100)))


def changed(tmp_path, from_time, until=float("inf")):
    """Other items from some time on, in the file of plays."""
    file = tmp_path.joinpath(*FILE)
    header, *lines = file.read_text().splitlines()
    plays = [line.split("\t") for line in lines]
    later = [
        (user, f"i{(int(item[1:]) + 1) % 15}" if from_time <= float(time) < until else item, time)
        for user, item, time in plays
    ]
    assert later != [tuple(play) for play in plays]
    file.write_text("\n".join([header, *map("\t".join, later)]) + "\n")


def by_token(experiment, scores):
    """Scores of users' rows by the names of user and item."""
    batches = torch.cat([batch["user_id"] for batch, *_ in experiment.test_data])
    users = experiment.dataset.field2id_token["user_id"][batches.numpy()]
    items = experiment.dataset.field2id_token["item_id"][1:]
    return {user: dict(zip(items, row[1:].tolist())) for user, row in zip(users, scores)}


def test_under_gts_scores_do_not_depend_on_plays_after_the_border(toy, tmp_path):
    toy = {**toy, "eval_args": GTS}
    first = build("PopOnly", toy)
    torch.save(first.model.state_dict(), "weights.pth")
    ends = torch.cat([batch["history_end"] for batch, *_ in first.test_data])
    border = next(iter(first.test_data))[0]["request_time"][0].item()
    assert (first.model.history.times[ends - 1] < border).all()
    before = by_token(first, scores_of(first))
    changed(tmp_path, border)
    second = build("PopOnly", toy)
    after = by_token(second, scores_of(second))
    users = before.keys() & after.keys()
    assert len(users) > 5
    for user in users:
        assert after[user] == pytest.approx(before[user], rel=1e-6)


@SPLITS
def test_what_goes_together_is_counted_in_the_training_part_only(toy, tmp_path, split):
    first = build("PopOnly", toy, eval_args=split)
    history, trained = first.model.history, first.train_data.dataset.trained_plays()
    valid, test = ({play for *_, play in _targets(data)} for data in (first.valid_data, first.test_data))
    assert not trained[sorted(valid | test)].any()
    assert trained.any()
    items = history.items.clone()
    items[~trained] = items[~trained].flip(0)
    assert not torch.equal(items, history.items)
    first.model.history = history._replace(items=items)
    head = head_of(first)
    for one, other in zip(_flat(head._statistics(trained)), _flat(head.together), strict=True):
        assert torch.equal(one, other)


def _flat(parts):
    return (
        [parts] if isinstance(parts, torch.Tensor) else [tensor for part in parts for tensor in _flat(part)]
    )


def _targets(data):
    """User, item and position of the targets of a loader."""
    dataset = data.dataset
    history, rows = dataset.history, dataset.inter_feat
    for user, end in zip(rows["user_id"].tolist(), rows["history_end"].tolist()):
        last = history.starts[user + 1].item() if dataset.targets is not None else end + 1
        yield from ((user, history.items[p].item(), p) for p in range(end, last))


@SPLITS
def test_what_is_learned_from_is_in_the_training_part_and_behind_its_border(toy, split):
    experiment = build("PopOnly", toy, eval_args=split)
    history, trained = experiment.model.history, experiment.train_data.dataset.trained_plays()
    requests, n_items = experiment.train_data.requests, experiment.dataset.item_num
    assert requests is head_of(experiment).requests
    assert sum(len(part.targets) for part in requests) > 20
    for part in requests:
        assert not (part.known & ~trained).any()
        rows = part.targets // n_items
        for row, item in zip(rows.tolist(), (part.targets % n_items).tolist()):
            user, end = part.moments.users[row], part.moments.ends[row]
            own = torch.arange(end, history.starts[user + 1])
            answers = own[(history.items[own] == item) & trained[own] & ~part.known[own]]
            assert len(answers)
            if split is GTS:
                assert (history.times[answers] >= part.moments.now[row]).all()
        if split is GTS:
            assert (history.times[part.known].max() < part.moments.now).all()
            assert (part.moments.now <= history.times[trained].max()).all()


@pytest.mark.parametrize("now", ["last_play", "target"])
def test_under_leave_one_out_only_the_time_of_the_target_is_known_and_only_if_asked(toy, now):
    experiment = build("PopOnly", toy, eval_args=LOO, replay_now=now)
    model, batch = experiment.model, next(iter(experiment.test_data))[0]
    ends, history = batch["history_end"], model.history
    scores = scores_of(experiment)
    items, times = history.items.clone(), history.times.clone()
    items[ends] = items[ends].flip(0)
    model.history = history._replace(items=items)
    assert torch.equal(scores_of(experiment), scores)
    times[ends] += 40 * 3600
    model.history = history._replace(items=items, times=times)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    later = scores_of(experiment)
    model.history = history._replace(items=items)
    assert torch.equal(scores_of(experiment), later) == (now == "last_play")


def test_groups_are_read_from_the_file_of_items(toy, tmp_path):
    with_groups = head_of(build("PopOnly", toy))
    assert len(with_groups.fields) == len(with_groups.together.groups) == 1  # artists; titles name items
    tmp_path.joinpath("data", "toy", "toy.item").unlink()
    without = head_of(build("PopOnly", toy))
    assert without.fields == without.together.groups == ()
    assert with_groups.together.n_sums == without.together.n_sums + 5


@SPLITS
def test_known_users_get_lists(toy, split):
    file = train(toy, eval_args=split)["checkpoint"]
    frame = recbole_popaware.recommend(file, topk=5)
    assert (frame.groupby("user_id").size() == 5).all()
    assert frame.user_id.nunique() == 12
    ordered = frame.groupby("user_id").score.apply(lambda scores: scores.is_monotonic_decreasing)
    assert ordered.all()
    assert frame.score.notna().all()
    popular = recbole_popaware.recommend(file, ["nobody"], topk=5)
    assert set(popular.kind) == {"popular"}


@SPLITS
def test_a_new_history_is_scored(toy, split, tmp_path):
    file = train(toy, eval_args=split)["checkpoint"]
    plays = [("zoe", item, 1_700_000_000 + 60 * n) for n, item in enumerate(["i1", "i2", "i3", "i1"])]
    history = write_atomic(tmp_path, "new", plays)
    zoe, longer = (
        recbole_popaware.recommend(file, ["zoe"], topk=15, history=history).set_index("item_id").plays
        for history in (history, write_atomic(tmp_path, "longer", [*plays, ("zoe", "i5", 1_700_009_999)]))
    )
    assert zoe[zoe > 0].to_dict() == {"i1": 2, "i2": 1, "i3": 1}
    assert longer["i5"] == 1


def one_line(error):
    assert "\n" not in str(error)


def test_files_that_are_split_already_are_refused_in_one_line(toy, tmp_path):
    lines = tmp_path.joinpath(*FILE).read_text().splitlines()
    header = "user_id:token\titem_id_list:token_seq\titem_id:token"
    for part in ("a", "b", "c"):
        rows = [f"u{n}\ti{n} i{n + 1}\ti{n + 2}" for n in range(10)]
        tmp_path.joinpath("data", "toy", f"toy.{part}.inter").write_text("\n".join([header, *rows]) + "\n")
    assert lines
    with pytest.raises(UsageError, match="whole histories") as error:
        train(toy, benchmark_filename=["a", "b", "c"], alias_of_item_id=["item_id_list"], load_col=None)
    one_line(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("replay_neighbours", 0),
        ("replay_neighbours", None),
        ("replay_requests", 0),
        ("replay_requests", 7),
        ("replay_terms", ["recency"]),
        ("replay_terms", "order"),
        ("replay_now", "tomorrow"),
        ("replay_hidden", 0),
        ("replay_dropout", 1.5),
    ],
)
def test_bad_settings_are_refused_in_one_line(toy, name, value):
    with pytest.raises(UsageError, match=name) as error:
        train(toy, **{name: value})
    one_line(error.value)


def test_the_command_says_what_is_wrong_in_one_line(toy, capsys):
    assert main(["--model=PopOnly", *arguments(toy, replay_terms="[order,recency]")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "replay_terms" in line
    assert "record, order, spread" in line


@SPLITS
@pytest.mark.parametrize("terms", [[], ["order"]])
def test_terms_can_be_switched_off(toy, split, terms):
    result = train(toy, eval_args=split, replay_terms=terms)
    loaded = load_data_and_model(result["checkpoint"])
    batch = next(iter(loaded.test_data))[0]
    with torch.no_grad():
        assert set(loaded.model.term_scores(batch)) == {"count", *terms, "new"}


@SPLITS
@pytest.mark.parametrize("n_plays", [3, 5, 8])
@pytest.mark.parametrize("n_users", [1, 2])
def test_a_tiny_log_trains_or_is_refused_in_one_line(tmp_path, toy, split, n_plays, n_users):
    plays = [
        (f"u{user}", "abc"[(user + n * n) % 3], 60 * n + user)
        for user in range(n_users)
        for n in range(n_plays)
    ]
    write_atomic(tmp_path / "data", "tiny", plays)
    try:
        result = train(toy, dataset="tiny", eval_args=split, topk=[2], valid_metric="NDCG@2")
    except UsageError as error:
        one_line(error)
    else:
        assert all(weight.isfinite().all() for weight in weights_of(result).values())


def test_few_requests_are_enough(toy):
    result = train(toy, replay_requests=8)
    assert (
        sum(len(part.moments.users) for part in load_data_and_model(result["checkpoint"]).train_data.requests)
        <= 8
    )


def test_statistics_and_requests_stay_in_the_training_part(toy):
    """Also where popularity counts more."""
    whole = build("PopOnly", toy, eval_args=GTS)
    counted = build("PopOnly", toy, eval_args=GTS, popularity_until="test")
    assert torch.equal(head_of(counted).together.counts.plays, head_of(whole).together.counts.plays)
    border = whole.model.history.times[whole.train_data.dataset.trained_plays()].max()
    assert all((part.moments.now <= border).all() for part in counted.train_data.requests)
