"""The simulator: the shipped demo data comes out of it, and looks like a music log."""

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_converters.__main__ import main
from dataset_converters.common.ledger import Ledger
from dataset_converters.simulator.catalogue import make_catalogue
from dataset_converters.simulator.simulate import START, SimulateOptions, read_events

DEMO = ROOT / "recbole_popaware" / "dataset_example" / "demo"


def events_of(**sizes: int) -> "list[tuple]":
    log = read_events(SimulateOptions(**sizes), Ledger())
    return [tuple(row.values()) for batch in log.batches for row in batch.to_pylist()]


def test_shipped_demo_is_what_the_documented_command_makes(tmp_path: Path) -> None:
    assert main(["simulate", str(tmp_path), "--name", "demo", "--window", "20"]) == 0
    made = sorted((tmp_path / "demo").iterdir())
    made = [file for file in made if file.suffix != ".arrow"]  # which so small a log does not need
    assert [file.name for file in made] == sorted(file.name for file in DEMO.iterdir())
    for file in made:
        assert file.read_bytes() == (DEMO / file.name).read_bytes(), file.name


def test_shipped_demo_is_small_and_looks_real() -> None:
    assert sum(file.stat().st_size for file in DEMO.iterdir()) < 2_000_000
    statistics = json.loads((DEMO / "demo.stats.json").read_text())
    assert 0.4 <= statistics["repeat_share"] <= 0.75
    assert 0.4 <= statistics["positive_repeat_share"] <= 0.75
    assert set(statistics["ratings"]) == {"-2", "-1", "1", "2"}


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 20), st.integers(2, 60), st.integers(5, 40), st.integers(1, 400))
def test_any_size_gives_exactly_the_plays_asked_for(users: int, items: int, each: int, days: int) -> None:
    sizes = {"users": users, "items": items, "plays": users * each, "days": days}
    events = events_of(**sizes)
    assert len(events) == users * each
    assert len({event[0] for event in events}) == users
    assert len({event[1] for event in events}) <= items
    assert min(Counter(event[0] for event in events).values()) >= 5
    assert events == events_of(**sizes)


def test_time_runs_forward_within_each_user() -> None:
    times: dict = {}
    for user, _, time_us, _ in events_of(plays=5_000, users=40, seed=1):
        assert time_us > times.get(user, START * 1_000_000 - 1)
        times[user] = time_us


def test_seeds_differ() -> None:
    assert events_of(seed=1) != events_of(seed=2)


@pytest.mark.parametrize("seed", range(3))
def test_log_has_the_marks_of_listening(seed: int) -> None:
    events = events_of(seed=seed)
    counts = sorted(Counter(event[1] for event in events).values(), reverse=True)
    assert sum(counts[: len(counts) // 10]) > 0.4 * len(events)  # a few tracks make the log
    assert 0.4 < 1 - len({event[:2] for event in events}) / len(events) < 0.75
    hours = Counter(event[2] // 3_600_000_000 % 24 for event in events)
    assert sum(hours[hour] for hour in range(17, 23)) > 2 * sum(hours[hour] for hour in range(6))
    gaps = [
        (after[2] - before[2]) // 1_000_000
        for before, after in itertools.pairwise(events)
        if before[0] == after[0]
    ]
    assert 100 < np.median(gaps) < 300  # most plays follow within a session


def test_nothing_is_played_before_its_release() -> None:
    options = SimulateOptions(plays=5_000)
    catalogue = make_catalogue(
        np.random.Generator(np.random.PCG64(options.seed)), options.items, options.days
    )
    log = read_events(options, Ledger())
    ids = {name: row for row, name in enumerate(log.items.column("item_id").to_pylist())}
    assert (catalogue.release > 0).sum() > 100
    for batch in log.batches:
        rows = [ids[name] for name in batch.column("item").to_pylist()]
        days = (np.array(batch.column("time_us")) / 1e6 - START) / 86_400
        assert (catalogue.release[rows] <= days).all()


def test_catalogue_is_consistent() -> None:
    catalogue = make_catalogue(np.random.Generator(np.random.PCG64(5)), 500, 100)
    assert catalogue.start[0] == 0
    assert catalogue.start[-1] == 500
    assert (np.diff(catalogue.start) >= 1).all()
    tracks = np.arange(500)
    after = catalogue.following(tracks)
    assert (catalogue.artist[after] == catalogue.artist[tracks]).all()
    assert sorted(after.tolist()) == tracks.tolist()
    edges = np.array([0.0, 0.5, 1 - 2**-53])
    artists = catalogue.pick_artist(edges)
    assert artists.min() >= 0
    assert artists.max() < len(catalogue.genre)
    assert (catalogue.artist[catalogue.pick_track(artists, edges)] == artists).all()
