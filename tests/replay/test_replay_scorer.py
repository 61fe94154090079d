from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_logs import N_ITEMS, log_of, logs

from recbole_popaware.replay import examples as module
from recbole_popaware.replay.examples import Examples, New, Played, concatenate, make_examples
from recbole_popaware.replay.features import Fade, features_at, played_mask
from recbole_popaware.replay.moments import Moments
from recbole_popaware.replay.order import ORDER_FEATURES
from recbole_popaware.replay.record import RECORD_FEATURES, USER_FEATURES
from recbole_popaware.replay.requests import Requests, at_borders
from recbole_popaware.replay.scorer import ReplayScorer, log_sum_exp, replay_loss
from recbole_popaware.replay.spread import Together
from recbole_popaware.replay.term import MOST_APART, Standardise

FADE = Fade()
GROUPS = torch.tensor([[0], [1], [1], [2], [2], [3], [0]])
LOG = log_of("abcab cabd abca", "cdecde fcde cd", "aaab aaba aaab ab")


def together_of(log, fields=(GROUPS,)):
    return Together.of(*log.columns, N_ITEMS, 4, fields)


def examples_of(log=LOG, share=0.5):
    trained = torch.ones(len(log.users), dtype=torch.bool)
    (requests,) = at_borders(log.store, trained, N_ITEMS, [share])
    return make_examples(requests, log.store, together_of(log), FADE, N_ITEMS)


def scorer_of(n_sums, terms=("record", "order", "spread"), at_start=True):
    torch.manual_seed(5)
    widths = {"record": RECORD_FEATURES, "order": ORDER_FEATURES, "spread": n_sums}
    scorer = ReplayScorer(N_ITEMS, {term: widths[term] for term in terms}, USER_FEATURES, n_sums).eval()
    if not at_start:
        for weight in scorer.parameters():
            torch.nn.init.normal_(weight, std=0.2)
    return scorer


@given(log=logs())
@settings(max_examples=25)
def test_at_the_start_played_items_have_the_logarithm_of_their_faded_count(log):
    moments, together = log.moments(60), together_of(log)
    features = features_at(moments, log.store, together, FADE, N_ITEMS)
    scores = scorer_of(together.n_sums).catalogue(features, together.counts.features)
    assert scores.shape == (len(moments.users), N_ITEMS)
    assert (scores[:, 0] == -math.inf).all()
    assert scores[:, 1:].isfinite().all()
    for row, (user, end) in enumerate(log.ends()):
        own = log.before(user, end)
        for item in {log.items[p] for p in own}:
            faded = sum(((end - p + 20) / 21) ** -1.3 for p in own if log.items[p] == item)
            assert scores[row, item].item() == pytest.approx(math.log(faded), rel=1e-4, abs=1e-5)
    assert torch.equal(scores.view(-1)[features.records.keys], features.faded)


@pytest.mark.parametrize("terms", [(), ("order",), ("record", "order", "spread")])
@pytest.mark.parametrize("fields", [(), (GROUPS,)])
def test_the_catalogue_has_the_scores_of_candidates(terms, fields):
    """Played items by ``played``, others by ``new``, whatever the weights."""
    together = together_of(LOG, fields)
    features = features_at(LOG.moments(), LOG.store, together, FADE, N_ITEMS)
    scorer = scorer_of(together.n_sums, terms, at_start=False)
    scorer.of_user.fit(features.user)
    catalogue = scorer.catalogue(features, together.counts.features)
    records, mask = features.records, played_mask(features.records)
    played = torch.stack(list(scorer.played(features.user, records.rows, features).values())).sum(0)
    new = scorer.new(
        features.user,
        features.sums.permute(1, 2, 0),
        together.counts.features.expand(len(features.user), -1, -1),
    )
    torch.testing.assert_close(catalogue.view(-1)[records.keys], played)
    torch.testing.assert_close(catalogue[~mask], new[~mask])
    terms_of = scorer.terms_of(features, together.counts.features)
    assert set(terms_of) == {"count", *terms, "new"}
    torch.testing.assert_close(torch.stack(list(terms_of.values())).sum(0), catalogue)
    assert not terms_of["count"][~mask].any()
    assert not terms_of["new"].view(-1)[records.keys].any()


def test_the_value_of_an_item_counts_as_far_as_it_is_known():
    together = together_of(LOG)
    features = features_at(LOG.moments(), LOG.store, together, FADE, N_ITEMS)
    scorer = scorer_of(together.n_sums)
    before = scorer.catalogue(features, together.counts.features)
    with torch.no_grad():
        scorer.values[3] = 2.0
    difference = scorer.catalogue(features, together.counts.features)[:, 1:] - before[:, 1:]
    n = LOG.items.count(3)
    played = torch.tensor([3 in {LOG.items[p] for p in LOG.before(user, end)} for user, end in LOG.ends()])
    torch.testing.assert_close(difference[:, 2], played.float() * 2 * n / (n + 10))
    assert not difference[:, [0, 1, 3, 4, 5]].any()


def test_examples_score_as_the_catalogue_does():
    examples, together = examples_of(), together_of(LOG)
    scorer = scorer_of(together.n_sums, at_start=False)
    scorer.fit_scales(examples)
    now = torch.tensor(sorted(LOG.times)[len(LOG.times) // 2]).double().expand(len(examples.users))
    features = features_at(Moments(examples.users, examples.ends, now), LOG.store, together, FADE, N_ITEMS)
    catalogue = scorer.catalogue(features, together.counts.features)
    played, new = scorer.both(examples)
    torch.testing.assert_close(played, catalogue[examples.rows, examples.played.items])
    there = examples.new.there
    torch.testing.assert_close(new[there], catalogue.gather(1, examples.new.items)[there])
    assert (new[~there] == -math.inf).all()
    assert there.sum(1).tolist() == [N_ITEMS - 1 - n for n in examples.starts.diff().tolist()]


@settings(max_examples=25)
@given(log=logs(), share=st.sampled_from([0.3, 0.5, 0.8]))
def test_every_target_is_one_candidate(log, share):
    trained = torch.ones(len(log.users), dtype=torch.bool)
    (requests,) = at_borders(log.store, trained, N_ITEMS, [share])
    if len(requests.moments.users) == 0:
        return
    examples = make_examples(requests, log.store, together_of(log), FADE, N_ITEMS)
    played, new = examples.played, examples.new
    hits = examples.rows[played.hit > 0] * N_ITEMS + played.items[played.hit > 0]
    keys = torch.arange(len(examples.users)).unsqueeze(1) * N_ITEMS + new.items
    assert torch.cat([hits, keys[new.hit > 0]]).sort().values.equal(requests.targets)
    assert new.there[new.hit > 0].all()


@pytest.mark.parametrize("size", [1, 2])
def test_pieces_of_the_moments_change_nothing(monkeypatch, size):
    whole = examples_of()
    monkeypatch.setattr(module, "_SUMS_AT_ONCE", size * N_ITEMS * together_of(LOG).n_sums)
    pieces = examples_of()
    assert_equal(whole, pieces)
    parts = [whole.at(torch.tensor([row])) for row in range(len(whole.users))]
    assert_equal(whole, concatenate(parts))


def test_some_moments_keep_their_pairs():
    whole = examples_of()
    turned = whole.at(torch.tensor([2, 0]))
    first, last = whole.starts[2:4].tolist()
    n = last - first
    assert torch.equal(turned.played.items[:n], whole.played.items[first:last])
    assert torch.equal(turned.played.order[n:], whole.played.order[: whole.starts[1]])
    assert turned.users.tolist() == whole.users[[2, 0]].tolist()


def assert_equal(one, other):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        for left, right in zip(one, other):
            assert_equal(left, right)


def loss_of(rows, scores, hits, new, new_hits):
    """Loss of scores by hand-made lists; the features are not used."""
    starts = torch.tensor([0, *torch.bincount(torch.tensor(rows)).cumsum(0)])
    new, scores = torch.tensor(new), torch.tensor(scores, requires_grad=True)
    n, there = len(new), new.isfinite()
    weights = new.where(there, 0.0).requires_grad_()
    none = torch.zeros(len(rows), 1)
    played = Played(torch.tensor(rows), none, none, none, none, none, torch.tensor(hits).float())
    hit = torch.tensor(new_hits).float()
    candidates = New(hit, hit, hit, there, hit)
    user = torch.zeros(n, USER_FEATURES)
    examples = Examples(torch.arange(n), torch.arange(n), user, starts, played, candidates)
    loss = replay_loss(examples, scores, weights.masked_fill(~there, -math.inf))
    loss.backward()
    return loss.item(), scores.grad, weights.grad


def test_the_loss_by_hand():
    rows, scores, hits = [0, 0, 0, 1, 1, 2], [0.5, -1.0, 2.0, 0.3, 0.1, 1.0], [1, 0, 1, 0, 0, 1]
    new, new_hits = [[0.2, -0.4], [1.5, 0.7], [-0.3, 0.9]], [[0, 1], [1, 0], [0, 0]]
    e = math.exp
    played = [e(0.5) + e(-1.0) + e(2.0), e(0.3) + e(0.1), e(1.0)]
    others = [e(0.2) + e(-0.4), e(1.5) + e(0.7), e(-0.3) + e(0.9)]
    which_played = [-(0.5 + 2.0) / 2 + math.log(played[0]), 0.0]  # moments 0 and 2 have played targets
    which_new = [0.4 + math.log(others[0]), -1.5 + math.log(others[1])]  # moments 0 and 1 have new ones
    is_new = []
    for share, one, other in zip([1 / 3, 1, 0], others, played):
        p = one / (one + other)
        is_new.append(-share * math.log(p) - (1 - share) * math.log(1 - p))
    expected = sum(which_played) / 2 + sum(which_new) / 2 + sum(is_new) / 3
    loss, *gradients = loss_of(rows, scores, hits, new, new_hits)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert gradients[0][5] != 0  # moment 2 has one played item, which competes with the new ones


@pytest.mark.parametrize("hits", [[1, 0, 0], [0, 0, 0]])
@pytest.mark.parametrize(
    "new", [[[0.1, -math.inf]] * 2, [[-math.inf] * 2] * 2, [[0.5, 0.1], [-math.inf] * 2]]
)
def test_moments_without_targets_or_candidates_make_no_nan(hits, new):
    loss, *gradients = loss_of([0, 0, 1], [0.3, 0.2, 0.1], hits, new, [[0, 0]] * 2)
    assert math.isfinite(loss)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_without_any_target_there_is_no_loss():
    loss, *gradients = loss_of([0, 0], [0.3, 0.2], [0, 0], [[0.1, 0.4]], [[0, 0]])
    assert loss == 0
    assert not any(gradient.any() for gradient in gradients)


def test_log_sum_exp_of_rows():
    scores, rows = torch.tensor([1.0, 2.0, 500.0]), torch.tensor([0, 0, 2])
    sums = log_sum_exp(scores, rows, 4).tolist()
    assert sums == [pytest.approx(math.log(math.e + math.e**2)), -math.inf, 500, -math.inf]


def test_the_gate_starts_where_new_plays_are_as_likely_as_among_the_targets():
    examples = examples_of()
    scorer = scorer_of(together_of(LOG).n_sums)
    scorer.fit_scales(examples)
    played, new = scorer.both(examples)
    log_odds = torch.logsumexp(new, 1) - log_sum_exp(played, examples.rows, len(examples.users))
    n_new, n_played = examples.new.hit.sum(), examples.played.hit.sum()
    mean = log_odds[log_odds.isfinite()].mean()
    assert mean.item() == pytest.approx(math.log((n_new + 1) / (n_played + 1)), abs=1e-4)


def fitted(log, moments):
    requests = Requests(torch.ones(len(log.users), dtype=torch.bool), moments, torch.tensor([1]))
    examples = make_examples(requests, log.store, together_of(log, ()), FADE, N_ITEMS)
    scorer = scorer_of(examples.new.sums.size(-1))
    scorer.fit_scales(examples)
    return scorer, examples


@pytest.mark.parametrize("history", ["ab", "a", "abcdef"])
def test_one_moment_is_enough_for_scales(history):
    """Of one moment, of one item, and of one that leaves nothing new."""
    log = log_of(history)
    scorer, examples = fitted(log, log.moments().at(slice(-1, None)))
    assert all(value.isfinite().all() for value in scorer.state_dict().values())
    assert replay_loss(examples, *scorer.both(examples)).isfinite()


def test_features_far_from_the_mean_count_as_far_as_the_limit():
    standardise = Standardise(1)
    standardise.fit(torch.tensor([[0.0], [2.0]]))
    far, near = standardise(torch.tensor([[-1000.0], [1.5]])).squeeze(1).tolist()
    assert far == -MOST_APART
    assert near == pytest.approx(0.5, rel=0.02)
