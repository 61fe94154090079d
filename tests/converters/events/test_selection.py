"""Selection keeps what it says, agrees with the published program, and counts the rest."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from helpers import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_logs import batches_of, ordered

from dataset_converters.__main__ import main
from dataset_converters.common.ledger import Ledger
from dataset_converters.events.selection import Selection, select_events
from dataset_converters.events.store import EventStore

GOLDEN = ROOT / "tests" / "golden" / "reference_values.json"


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads(GOLDEN.read_text())


@pytest.fixture
def events_csv(tmp_path: Path, golden: dict) -> Path:
    path = tmp_path / "events.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("user", "item", "time", "rating"), *golden["events"]])
    return path


def convert(path: Path, out: Path, *arguments: object) -> "tuple[list[list[str]], dict]":
    columns = ["--user", "user", "--item", "item", "--time", "time", "--rating", "rating"]
    assert main(["table", str(path), str(out), "--name", "x", *columns, *map(str, arguments)]) == 0
    lines = (out / "x" / "x.inter").read_text().splitlines()[1:]
    return [line.split("\t") for line in lines], json.loads((out / "x" / "x.stats.json").read_text())


@pytest.mark.parametrize(
    ("sampling", "key"),
    [
        ("proportional", "proportional_120"),
        ("popular", "most_popular_120"),
        ("uniform", "uniform_120"),
    ],
)
def test_item_samples_agree_with_the_published_program(
    tmp_path: Path, golden: dict, events_csv: Path, sampling: str, key: str
) -> None:
    rows, statistics = convert(
        events_csv, tmp_path, "--sample-items", 120, "--sampling", sampling, "--seed", 27
    )
    expected = set(golden["item_sampling"][key])
    assert len(expected) == 120
    assert {row[1] for row in rows} == expected
    kept = sum(item in expected for _, item, _, _ in golden["events"])
    assert statistics["rows"] == {
        "read": 6000,
        "written": kept,
        "dropped": {"item not in the sample of --sample-items": 6000 - kept},
    }


def test_seeds_change_the_sample(tmp_path: Path, events_csv: Path) -> None:
    samples = []
    for number, seed in enumerate((27, 28, 27)):
        rows, _ = convert(events_csv, tmp_path / str(number), "--sample-items", 50, "--seed", seed)
        samples.append({row[1] for row in rows})
    assert samples[0] == samples[2] != samples[1]


def test_dates_are_borders_that_belong_to_the_later_side(
    tmp_path: Path, golden: dict, events_csv: Path
) -> None:
    times = sorted(time for _, _, time, _ in golden["events"])
    begin, end = times[1000], times[5000]
    arguments = ["--from", iso(begin), "--until", f"{iso(end)}Z"]
    rows, statistics = convert(events_csv, tmp_path, *arguments)
    expected = [time for time in times if begin <= time < end]
    assert sorted(int(row[2]) for row in rows) == expected
    dropped = statistics["rows"]["dropped"]
    assert dropped["time before --from"] == sum(time < begin for time in times)
    assert dropped["time at or after --until"] == sum(time >= end for time in times)


def iso(seconds: int) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def test_sampled_users_keep_all_their_plays(tmp_path: Path, golden: dict, events_csv: Path) -> None:
    rows, _ = convert(events_csv, tmp_path, "--users", 7)
    counts = Counter(row[0] for row in rows)
    everyone = Counter(user for user, _, _, _ in golden["events"])
    assert len(counts) == 7
    assert all(everyone[user] == count for user, count in counts.items())


def test_samples_larger_than_the_data_keep_all(tmp_path: Path, events_csv: Path) -> None:
    _, statistics = convert(events_csv, tmp_path, "--users", 10**6, "--sample-items", 10**6)
    assert statistics["rows"]["written"] == 6000
    assert [note.rpartition("--")[2] for note in statistics["notes"] if "all kept" in note] == [
        "users: all kept",
        "sample-items: all kept",
    ]


def test_nothing_left_is_said_in_one_line(
    tmp_path: Path, events_csv: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = ["--user", "user", "--item", "item", "--time", "time", "--min-user-plays", "100000"]
    assert main(["table", str(events_csv), str(tmp_path), *arguments]) == 2
    assert "no event is left to write: 6,000 read, dropped: 6,000 user" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "4 May"], "--from '4 May': need a date such as 2009-05-04"),
        (["--until", "2009-02-30"], "--until '2009-02-30': need a date"),
        (["--users", "0"], "--users '0': need a whole number from 1 up"),
        (["--sample-items", "-3"], "--sample-items '-3': need a whole number from 1 up"),
        (["--seed", "-1"], "--seed '-1': need a whole number from 0 to 4294967295"),
        (["--sampling", "best"], "--sampling 'best': need proportional or popular or uniform"),
    ],
)
def test_bad_options(tmp_path: Path, arguments: list, message: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["lfm1b", "x", str(tmp_path), *arguments]) == 2
    assert message in capsys.readouterr().err


EVENT = st.tuples(
    st.sampled_from("abc"), st.sampled_from("wxyz"), st.integers(0, 3), st.sampled_from([1.0, -1.0])
)
LIMIT = st.integers(0, 4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT, min_size=1, max_size=30), LIMIT, LIMIT, st.booleans())
def test_the_core_is_what_pruning_by_hand_leaves(
    tmp_path_factory: pytest.TempPathFactory, events: list, users: int, items: int, unique: bool
) -> None:
    ledger = Ledger(rows_read=len(events))
    selection = Selection(min_user_plays=users, min_item_plays=items, drop_duplicates=unique)
    with EventStore(batches_of(events, 7), tmp_path_factory.mktemp("store")) as store:
        select_events(store, selection, ledger)
        kept = Counter(ordered(store))
        assert store.rows == sum(kept.values()) == len(events) - sum(ledger.dropped.values())
    assert kept == core_by_hand(list(dict.fromkeys(events)) if unique else events, users, items)


def core_by_hand(events: list, users: int, items: int) -> Counter:
    while True:
        per_user, per_item = (Counter(event[index] for event in events) for index in (0, 1))
        left = [event for event in events if per_user[event[0]] >= users and per_item[event[1]] >= items]
        if left == events:
            return Counter(events)
        events = left
