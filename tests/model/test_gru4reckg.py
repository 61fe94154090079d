"""GRU4RecKG, whose data set class is RecBole's own, with vectors of entities that come with the data."""

from __future__ import annotations

import torch
from helpers import SMALL, looping_plays, write_atomic

from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware

LOAD = {
    "inter": ["user_id", "item_id", "timestamp"],
    "ent": ["ent_id", "ent_emb"],
    "kg": ["head_id", "relation_id", "tail_id"],
    "link": ["item_id", "entity_id"],
}


def test_gru4reckg_trains_with_given_vectors_and_is_read_again(tmp_path):
    folder = write_atomic(tmp_path, "toy", looping_plays()).parent
    vectors = {f"i{n}": [n / 10, 1.0, -n / 10, 0.5] for n in range(15)}
    files = {
        "ent": [
            "ent_id:token\tent_emb:float_seq",
            *(f"{i}\t{' '.join(map(str, v))}" for i, v in vectors.items()),
        ],
        "kg": ["head_id:token\trelation_id:token\ttail_id:token", *(f"e{n}\tr\te{n + 1}" for n in range(15))],
        "link": ["item_id:token\tentity_id:token", *(f"i{n}\te{n}" for n in range(15))],
    }
    for suffix, lines in files.items():
        (folder / f"toy.{suffix}").write_text("\n".join([*lines, ""]))
    preload = {"preload_weight": {"ent_id": "ent_emb"}, "alias_of_item_id": ["ent_id"]}
    more = {"load_col": LOAD, "additional_feat_suffix": ["ent"], **preload, "embedding_size": 4}
    settings = {**SMALL, **more, "data_path": str(tmp_path), "dataset": "toy"}
    result = run_recbole_popaware("GRU4RecKG", config_dict=settings)
    loaded = load_data_and_model(result["checkpoint"])
    weights = loaded.model.entity_embedding.weight
    for item, vector in vectors.items():
        assert torch.allclose(weights[loaded.dataset.token2id("item_id", item)], torch.tensor(vector))
    assert 0 < result["test_result"]["recall@10"] <= 1
