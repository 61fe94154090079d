"""RecBole's tests/data/test_transform.py: how windows are changed before a model sees them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from either_recbole import construct_transform, create_dataset, make_config, write_tables

ROWS = "user_id:token item_id:token timestamp:float\n" + "".join(
    f"u{user} i{(user + play) % 12} {play}\n" for user in range(4) for play in range(8 + user)
)


@pytest.fixture
def transformed(tmp_path):
    """Transform the windows of the three parts; (window without padding, what it became) of each row."""

    def make(name, field, model="GRU4Rec", **more):
        split = {"split": {"RS": [0.3, 0.3, 0.4]}, "order": "TO"}
        settings = {**write_tables(tmp_path, {"inter": ROWS}), "train_neg_sample_args": None, **more}
        config = make_config(model, "set", transform=name, eval_args=split, **settings)
        transform = construct_transform(config)
        for part in create_dataset(config).build():
            batch = part.inter_feat
            before, lengths = batch[part.item_id_list_field][:], batch[part.item_list_length_field]
            before = torch.as_tensor(np.array(before))
            after = transform(part, batch)[getattr(transform, field)]
            yield before, lengths.tolist(), torch.as_tensor(np.array(after))

    return make


def test_mask_itemseq(transformed):
    """With a ratio of 1, and without rows of which only the last play is masked, every play becomes 13."""
    certain = {"mask_ratio": 1.0, "ft_ratio": 0.0}
    for _, lengths, after in transformed("mask_itemseq", "MASK_ITEM_SEQ", "BERT4Rec", **certain):
        for row, length in enumerate(lengths):
            plays = after[row][after[row] != 0].tolist()
            assert set(plays) == {13}
            assert len(plays) >= length


def test_inverse_itemseq(transformed):
    for before, lengths, after in transformed("inverse_itemseq", "INVERSE_ITEM_SEQ", "SHAN"):
        for row, length in enumerate(lengths):
            width = before.size(1)
            assert after[row].tolist() == [0] * (width - length) + before[row, :length].tolist()


def test_crop_itemseq(transformed):
    """A piece of 0.6 of the window, rounded down, goes on as it was; zeros are behind it."""
    for before, lengths, after in transformed("crop_itemseq", "CROP_ITEM_SEQ", eta=0.6):
        for row, length in enumerate(lengths):
            n = int(length * 0.6)
            assert not after[row, n:].any()
            pieces = before[row, :length].unfold(0, n, 1).tolist() if n else [[]]
            assert after[row, :n].tolist() in pieces


def test_reorder_itemseq(transformed):
    """A piece of 0.9 of the window is shuffled, so the items stay."""
    changed = False
    for before, _, after in transformed("reorder_itemseq", "REORDER_ITEM_SEQ", beta=0.9):
        assert torch.equal(before.sort(dim=1).values, after.sort(dim=1).values)
        changed |= not torch.equal(before, after)
    assert changed
