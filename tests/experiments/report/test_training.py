from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.experiments.report.training import best_point, mean_of, near_point, patience_left

SCORES = st.lists(st.one_of(st.none(), st.integers(0, 4).map(lambda n: n / 4)), max_size=12)


def run_of(scores, stopping_step=2, parameters=1):
    curve = [{"epoch": n, "score": score, "seconds": 10.0 * n} for n, score in enumerate(scores, 1)]
    return {"curve": curve, "settings": {"stopping_step": stopping_step}, "parameters": parameters}


def recbole_stops(scores, stopping_step):
    """The best epoch, and whether RecBole's early stopping ends the training after the last score."""
    from recbole.utils import early_stopping

    best, step, epoch, stop = -math.inf, 0, None, False
    for n, score in enumerate(scores, 1):
        value = math.nan if score is None else score
        best, step, stop, better = early_stopping(value, best, step, stopping_step)
        epoch = n if better else epoch
    return epoch, stop


@given(SCORES, st.integers(0, 3))
def test_best_epoch_and_patience_are_those_of_recbole(scores, stopping_step):
    epoch, stop = recbole_stops(scores, stopping_step)
    run = run_of(scores, stopping_step)
    best = best_point(run)
    assert (best and best["epoch"]) == epoch
    if best is not None:
        assert patience_left(run) == (not stop)


@pytest.mark.parametrize(
    ("scores", "left"),
    [
        ([0.1, 0.2, 0.3], True),
        ([0.1, 0.3, 0.2, 0.2], True),
        ([0.1, 0.3, 0.2, 0.2, 0.2], False),
        ([0.3, 0.2, 0.3, 0.2, 0.2], True),
        ([], False),
        ([None], False),
    ],
)
def test_patience_by_hand(scores, left):
    assert patience_left(run_of(scores)) is left


def test_what_learns_nothing_has_no_patience():
    assert not patience_left(run_of([0.3], parameters=0))


@given(SCORES)
def test_no_epoch_before_the_near_one_reaches_95_percent(scores):
    run = run_of(scores)
    best, near = best_point(run), near_point(run)
    assert (best is None) == (near is None)
    if best is not None:
        assert near["epoch"] <= best["epoch"]
        assert near["score"] >= 0.95 * best["score"]
        earlier = [point["score"] for point in run["curve"][: near["epoch"] - 1]]
        assert all(score is None or score < 0.95 * best["score"] for score in earlier)


def test_95_percent_by_hand():
    assert near_point(run_of([0.5, 0.94, 0.95, 1.0]))["epoch"] == 3
    assert near_point(run_of([0.5, 0.94, 0.95, 1.0]))["seconds"] == 30.0


def test_a_mean_over_seeds_without_all_of_them_is_undefined():
    assert mean_of([{"epoch": 1}, {"epoch": 4}], "epoch") == 2.5
    assert math.isnan(mean_of([{"epoch": 1}, None], "epoch"))
