"""Lists of a model whose scores are sums of named terms, and where they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import GTS, SMALL, build, looping_plays, save, write_atomic

import recbole_popaware
from recbole_popaware.quick_start import run_recbole_popaware
from recbole_popaware.recommending.__main__ import main
from recbole_popaware.recommending.recommender import Recommender
from recbole_popaware.recommending.scorer import score_terms

TERMS = ["count", "record", "order", "spread", "new"]
PLAYS = looping_plays(n_items=40)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A checkpoint of a trained PopOnly."""
    folder = tmp_path_factory.mktemp("terms")
    write_atomic(folder / "data", "toy", PLAYS)
    settings = {**SMALL, "data_path": str(folder / "data"), "dataset": "toy", "eval_args": GTS, "epochs": 3}
    settings["checkpoint_dir"] = str(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["pytest"])
        return run_recbole_popaware("PopOnly", config_dict=settings)["checkpoint"]


def explained(text):
    """The table of the list, as a frame."""
    header, _, *rows = text.split("items recommended:\n\n")[1].splitlines()
    rows = [row.split() for row in rows[: rows.index("")]]
    return pd.DataFrame(rows, columns=header.split())


def test_every_term_has_a_column_and_they_sum_to_the_score(file, capsys):
    assert main(["--checkpoint", file, "--explain=u3", "--topk=20"]) == 0
    out = capsys.readouterr().out
    table = explained(out)
    assert list(table) == ["rank", "item_id", "kind", "plays", *TERMS, "score"]
    table[[*TERMS, "score"]] = table[[*TERMS, "score"]].astype(float)
    np.testing.assert_allclose(table[TERMS].sum(axis=1), table.score, atol=5e-4)
    expected = recbole_popaware.recommend(file, ["u3"], topk=20)
    assert table.item_id.tolist() == expected.item_id.tolist()
    repeat = table.kind == "repeat"
    assert set(table.kind) == {"repeat", "explore"}
    assert (table.new[repeat] == 0).all()
    assert (table.loc[~repeat, TERMS[:-1]] == 0).all(axis=None)
    assert table.record[repeat].nunique() > 1
    assert out.splitlines()[-1].startswith("score = count + record + order + spread + new; ")


def test_terms_sum_to_the_scores_of_all_items(file):
    recommender = Recommender(file)
    users = torch.tensor([1, 4])
    terms, played = recommender.terms(users)
    scores, counts = recommender.score(users)
    torch.testing.assert_close(torch.stack(list(terms.values())).sum(0), scores.network)
    assert scores.head is None
    assert torch.equal(played.keys, counts.keys)


def test_the_whole_score_of_such_a_model_is_its_own(file):
    frame = recbole_popaware.recommend(file, topk=5)
    assert (frame.model_score == frame.score).all()
    assert frame.popularity_score.isna().all()


def test_calibrated_lists_keep_their_promise_and_part_of_it_is_a_lower_limit(file):
    by_score, part, whole = (
        (recbole_popaware.recommend(file, topk=10, calibrated=factor).kind == "explore").sum()
        for factor in (False, 0.1, True)
    )
    assert by_score == part > whole  # so few plays that new items rank first


def test_new_histories_change_the_terms(file, tmp_path, capsys):
    plays = [("zoe", item, 1_600_000_000 + 60 * time) for time, item in enumerate(["i1", "i2", "i1", "i3"])]
    history = write_atomic(tmp_path, "new", plays)
    whole = f"--topk={len({item for _, item, _ in PLAYS})}"
    assert main(["--checkpoint", file, f"--history={history}", "--explain=zoe", whole]) == 0
    out = capsys.readouterr().out
    assert out.startswith("zoe: 4 plays of 3 items")
    assert set(explained(out).query("kind == 'repeat'").item_id) == {"i1", "i2", "i3"}


def test_terms_of_other_models_are_the_network_and_the_head(toy):
    experiment = build("PopSASRec", toy)
    rows = next(iter(experiment.valid_data))[0]
    terms = score_terms(experiment.model, rows)
    assert list(terms) == ["network", "head"]
    torch.testing.assert_close(terms["network"] + terms["head"], experiment.model.full_sort_predict(rows))
    assert list(score_terms(build("MostPop", toy).model, rows)) == ["network"]


def test_the_weight_of_the_head_is_in_its_term(toy):
    recommender = Recommender(save("PopSASRec", toy), popularity_weight=0.5)
    users = torch.tensor([2])
    terms, (scores, counts) = recommender.terms(users)[0], recommender.score(users)
    items = torch.arange(counts.n_items).unsqueeze(0)
    assert torch.equal(terms["head"], 0.5 * scores.head_of(items, counts))
