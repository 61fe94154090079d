from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import GTS, SMALL, build, write_atomic

from recbole_popaware.data.groups import MOST_GROUPS

LOO = {"split": {"LS": "valid_and_test"}, "order": "TO"}


@pytest.fixture
def looping(tmp_path):
    """Items i0 to i14, each played by several users."""
    plays = [(f"u{user}", f"i{(user + play) % 15}", 60 * play) for user in range(12) for play in range(18)]
    write_atomic(tmp_path / "data", "loop", plays)
    return {**SMALL, "data_path": str(tmp_path / "data"), "dataset": "loop"}


def items_file(settings, header, rows):
    file = Path(settings["data_path"], settings["dataset"], settings["dataset"] + ".item")
    file.write_text("\n".join(["\t".join(header), *("\t".join(row) for row in rows)]) + "\n")


def groups_of(settings):
    dataset = build("PopOnly", settings).dataset
    names = dataset.field2id_token["item_id"]
    return [
        {name: {group for group in row.tolist() if group} for name, row in zip(names[1:], table[1:])}
        for table in dataset.item_groups()
    ]


def partition(groups):
    """Which items share a group, whatever its number."""
    shared: dict[int, set[str]] = {}
    for item, numbers in groups.items():
        for number in numbers:
            shared.setdefault(number, set()).add(item)
    return sorted(map(sorted, shared.values()))


def test_an_artist_groups_the_items(looping):
    artists = {f"i{n}": f"artist {n % 5}" for n in range(15)}
    items_file(looping, ["item_id:token", "artist:token"], artists.items())
    (groups,) = groups_of(looping)
    assert all(len(of_item) == 1 for of_item in groups.values())
    assert partition(groups) == sorted(
        sorted(i for i in artists if artists[i] == f"artist {n}") for n in range(5)
    )


def test_items_without_an_artist_and_items_that_nobody_played_are_left_out(looping):
    rows = [
        ("i99", "x"),
        *((f"i{n}", "x" if n % 2 else "y") for n in range(11)),
        *((f"i{n}", "") for n in (11, 12)),
    ]
    items_file(looping, ["item_id:token", "artist:token"], rows)
    (groups,) = groups_of(looping)
    odd, even = ([f"i{n}" for n in range(first, 11, 2)] for first in (1, 0))
    assert partition(groups) == sorted([sorted(odd), sorted(even)])
    assert [groups[f"i{n}"] for n in (11, 12, 13, 14)] == [set()] * 4


def test_an_item_has_several_groups_and_the_first_few_count(looping):
    rows = [(f"i{n}", " ".join(f"g{(n + more) % 5}" for more in range(n % 7))) for n in range(15)]
    items_file(looping, ["item_id:token", "genres:token_seq"], rows)
    (groups,) = groups_of(looping)
    assert len(groups["i6"]) == MOST_GROUPS
    assert len(groups["i3"]) == 3
    assert groups["i3"] & groups["i4"]
    assert groups["i0"] == groups["i7"] == set()


def test_a_group_named_twice_is_one_group(looping):
    rows = [(f"i{n}", "rock rock pop" if n % 2 else "pop") for n in range(15)]
    items_file(looping, ["item_id:token", "genres:token_seq"], rows)
    table = build("PopOnly", looping).dataset.item_groups()[0]
    for row in table.tolist():
        numbers = [group for group in row if group]
        assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("title:token", lambda n: f"title {n}"),  # names items
        ("title:token", lambda n: f"title {n // 2}" if n < 14 else f"lone {n}"),  # less than 2 items a group
        ("country:token", lambda n: "all the same"),
        ("artist:token", lambda n: "x" if n < 3 else "y" if n < 6 else ""),  # of 6 of 15 items
        ("artist:token", lambda n: ""),
        ("genres:token_seq", lambda n: ""),
        ("year:float", lambda n: str(1990 + n % 2)),
    ],
)
def test_a_field_that_does_not_group_is_not_used(looping, header, text):
    items_file(looping, ["item_id:token", header], [(f"i{n}", text(n)) for n in range(15)])
    assert groups_of(looping) == []


def test_without_a_file_of_items_there_are_no_groups(looping):
    assert groups_of(looping) == []


def test_every_field_that_groups_is_used(looping):
    rows = [(f"i{n}", f"a{n % 3}", f"title {n}", f"g{n % 2} h{n % 4}", str(n)) for n in range(15)]
    header = ["item_id:token", "artist:token", "title:token", "genres:token_seq", "length:float"]
    items_file(looping, header, rows)
    artists, genres = groups_of(looping)
    assert len(partition(artists)) == 3
    assert len(partition(genres)) == 6


@pytest.mark.parametrize("eval_args", [GTS, LOO])
def test_trained_plays_are_those_of_the_training_part(looping, eval_args):
    experiment = build("PopOnly", looping, eval_args=eval_args)
    part = experiment.train_data.dataset
    trained, history = part.trained_plays(), part.history
    assert torch.equal(torch.bincount(history.items[trained], minlength=part.item_num), part.item_plays())
    for user in range(1, part.user_num):
        own = trained[history.starts[user] : history.starts[user + 1]]
        assert own.tolist() == sorted(own.tolist(), reverse=True)  # the first ones
        if eval_args is LOO:
            assert own.tolist() == [True] * (len(own) - 2) + [False] * 2
    if eval_args is GTS:
        assert history.times[trained].max() < history.times[~trained].min()


@pytest.mark.parametrize(("eval_args", "newest"), [(GTS, "of all"), (LOO, "of each user")])
def test_new_lists_are_for_the_newest_play(tmp_path, eval_args, newest):
    plays = [
        (f"u{user}", f"i{(user + play) % 4}", 1000 * user + play) for user in range(1, 5) for play in range(9)
    ]
    plays += [(f"u{user}", "i1", 1000 + 500 * play) for user in range(1, 4) for play in range(9)]
    write_atomic(tmp_path / "data", "steps", plays)
    settings = {**SMALL, "data_path": str(tmp_path / "data"), "dataset": "steps", "eval_args": eval_args}
    dataset = build("PopOnly", settings).dataset
    users = torch.arange(1, dataset.user_num)
    rows = dataset.latest_rows(users)
    last = dataset.history.times[dataset.history.starts[users + 1] - 1]
    expected = last if newest == "of each user" else last.max().expand(len(users))
    assert torch.equal(rows["request_time"], expected)
