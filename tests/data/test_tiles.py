from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.data.tiles import draw_tiles, lay_tiles

sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@given(sizes=sizes, length=st.integers(1, 9), seed=st.integers(0, 1000))
def test_every_play_is_a_target_once_and_no_window_is_wasted(sizes, length, seed):
    size = torch.tensor(sizes)
    last = size.cumsum(0) + torch.arange(len(sizes)) * 3
    first = last - size + 1
    tiles = lay_tiles(first, last, length, torch.Generator().manual_seed(seed))
    covered = [
        (user, position)
        for user, end, _, n in zip(*(part.tolist() for part in tiles))
        for position in range(end - n + 1, end + 1)
    ]
    assert sorted(covered) == [(u, p) for u in range(len(sizes)) for p in range(first[u], last[u] + 1)]
    assert tiles.targets.min() >= 1
    assert tiles.targets.max() <= length
    windows = torch.bincount(tiles.users)
    assert (windows <= -(-size // length) + 1).all()


def test_borders_differ_from_epoch_to_epoch():
    generator = torch.Generator().manual_seed(1)
    first, last = torch.tensor([1]), torch.tensor([1000])
    ends = {tuple(lay_tiles(first, last, 50, generator).ends.tolist()) for _ in range(5)}
    assert len(ends) > 1


def test_a_short_history_is_one_window():
    tiles = lay_tiles(torch.tensor([4]), torch.tensor([8]), 5)
    assert [part.tolist() for part in tiles] == [[0], [8], [8], [5]]


@given(sizes=sizes, length=st.integers(1, 9), seed=st.integers(0, 1000))
def test_one_window_of_each_user_is_full_and_lies_within_the_targets(sizes, length, seed):
    size = torch.tensor(sizes)
    last = size.cumsum(0) + torch.arange(len(sizes)) * 3
    first = last - size + 1
    tiles = draw_tiles(first, last, length, torch.Generator().manual_seed(seed))
    assert tiles.users.tolist() == list(range(len(sizes)))
    assert torch.equal(tiles.targets, size.clamp(max=length))
    assert (tiles.ends <= last).all()
    assert (tiles.ends - tiles.targets + 1 >= first).all()


def test_a_drawn_window_ends_anywhere():
    generator = torch.Generator().manual_seed(1)
    first, last = torch.zeros(1000, dtype=torch.int64), torch.full((1000,), 6)
    ends = draw_tiles(first, last, 4, generator).ends
    assert ends.unique().tolist() == [3, 4, 5, 6]
    assert torch.bincount(ends)[3:].min() > 200
