"""EASE on the demo data, from the file to the measures, beside a computation that shares no code with it."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from recbole_popaware import properties
from recbole_popaware.quick_start import run_recbole_popaware

K, REGULARIZATION = 10, 250.0
DISCOUNT = 1 / np.log2(np.arange(2, K + 2))


def read_demo():
    """(user, item, time, rating) of every play, users and items as numbers from 0 by first appearance."""
    rows = (properties.EXAMPLES / "demo" / "demo.inter").read_text().splitlines()[1:]
    numbers = defaultdict(dict)
    plays = []
    for row in rows:
        user, item, time, rating = row.split("\t")
        u, i = (numbers[k].setdefault(name, len(numbers[k])) for k, name in (("u", user), ("i", item)))
        plays.append((u, i, float(time), float(rating)))
    return plays, len(numbers["u"]), len(numbers["i"])


def scores_of_ease(plays, n_users, n_items):
    """Steck (2019): minimise |X - XB|^2 + r |B|^2 with a diagonal of 0; X counts plays."""
    x = np.zeros((n_users, n_items))
    for user, item, _, _ in plays:
        x[user, item] += 1
    inverse = np.linalg.inv(x.T @ x + REGULARIZATION * np.eye(n_items))
    b = -inverse / np.diag(inverse)
    np.fill_diagonal(b, 0)
    return (x @ b).astype(np.float32)


def gains_of(plays):
    """Gain of each item for one user: a like or dislike decides, else the latest play or skip."""
    decisive = {}
    for _, item, _, rating in plays:
        if item not in decisive or abs(rating) > 1 or abs(decisive[item]) <= 1:
            decisive[item] = rating
    return {item: rating for item, rating in decisive.items() if rating > 0}


def measures(top, gains, history):
    """GradedNDCG, RepeatRecall and ExploreRecall of one list; None where undefined."""
    ideal = sorted(gains.values(), reverse=True)[:K]
    ndcg = DISCOUNT @ [gains.get(i, 0) for i in top] / (DISCOUNT[: len(ideal)] @ ideal)
    repeats = {i for i in gains if i in history}
    recalls = [
        len(wanted.intersection(top)) / len(wanted) if wanted else None
        for wanted in (repeats, set(gains) - repeats)
    ]
    return [ndcg, *recalls]


def by_hand():
    plays, n_users, n_items = read_demo()
    plays.sort(key=lambda play: play[2])
    times = [time for _, _, time, _ in plays]
    test_border = times[len(times) * 9 // 10]
    before = [time for time in times if time < test_border]
    valid_border = before[len(before) * 8 // 9]
    scores = scores_of_ease([p for p in plays if p[3] > 0 and p[2] < valid_border], n_users, n_items)
    results = []
    for user in range(n_users):
        history = Counter(
            i for u, i, time, rating in plays if u == user and rating > 0 and time < test_border
        )
        gains = gains_of([p for p in plays if p[0] == user and p[2] >= test_border])
        if gains and history:
            top = np.argsort(-scores[user], kind="stable")[:K].tolist()
            results.append(measures(top, gains, history))
    return [np.mean([r for r in column if r is not None]) for column in zip(*results, strict=True)]


def test_ease_under_gts_is_what_a_hand_computation_gives():
    expected = by_hand()
    assert expected == pytest.approx([0.3083, 0.4209, 0.0138], abs=5e-5)
    settings = {
        "eval_args": {"split": {"GTS": [0.8, 0.1, 0.1]}},
        "metrics": ["GradedNDCG", "RepeatRecall", "ExploreRecall"],
        "valid_metric": "GradedNDCG@10",
        "metric_decimal_place": 6,
        "state": "ERROR",
        "show_progress": False,
    }
    result = run_recbole_popaware("EASE", config_dict=settings)["test_result"]
    assert list(result.values()) == pytest.approx(expected, abs=2e-6)
