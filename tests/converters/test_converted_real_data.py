"""Real plays: every action is accounted for, and the files say what the raw data says."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers import REAL_DATA

from dataset_converters.__main__ import main

DATA = REAL_DATA


@pytest.mark.parametrize(
    ("name", "rows", "users", "items", "repeat_share"),
    [
        ("lastfm1k_plays", 252_882, 896, 49_793, 0.37),
        ("foursquare_nyc", 147_938, 1_083, 5_135, 0.76),
    ],
)
def test_every_action_is_accounted_for(
    tmp_path: Path, name: str, rows: int, users: int, items: int, repeat_share: float
) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"no real data at {DATA / name}; set RECBOLE_POPAWARE_DATA to its folder")
    assert main(["parquet", str(DATA / name), str(tmp_path)]) == 0
    statistics = json.loads((tmp_path / name / f"{name}.stats.json").read_text())
    assert statistics["rows"] == {"read": rows, "written": rows, "dropped": {}}
    assert (statistics["users"], statistics["items"]) == (users, items)
    assert round(statistics["repeat_share"], 2) == repeat_share

    written = pd.read_csv(tmp_path / name / f"{name}.inter", sep="\t", dtype={1: str})
    written.columns = ["user", "item", "time", "rating"]
    expected = raw_events(DATA / name)
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)


def raw_events(folder: Path) -> pd.DataFrame:
    """Flatten, join and sort with pandas, independently of the converter."""
    raw = pq.read_table(folder / "interactions.parquet").to_pandas()
    tracks = pq.read_table(folder / "tracks.parquet").to_pandas()
    raw["order"] = range(len(raw))
    raw = raw.explode("actions").reset_index(drop=True)
    actions = pd.DataFrame(raw["actions"].tolist())
    times = pd.to_datetime(actions["datetime"], utc=True).dt.tz_localize(None)
    frame = pd.DataFrame(
        {
            "order": raw["order"],
            "user": raw["character_index"],
            "item": actions["track_index"].map(tracks.set_index("track_index")["track_id"]),
            "time": times.astype("datetime64[s]").astype("int64"),
            "rating": actions["action"],
        }
    )
    frame = frame.sort_values(["order", "time"], kind="stable", ignore_index=True)
    return frame.drop(columns="order")


def test_the_first_lines_of_the_real_lastfm_file(tmp_path: Path) -> None:
    raw = DATA / "lastfm1k_raw_sample"
    if not raw.is_dir():
        pytest.skip(f"no real data at {raw}; set RECBOLE_POPAWARE_DATA to its folder")
    (file,) = raw.glob("*.tsv")
    lines = [line.split("\t") for line in file.read_text(encoding="utf-8").split("\n")[:-1]]
    assert len(lines) == 5_000
    for key, kept in (("mbid", [line for line in lines if line[4]]), ("name", lines)):
        assert main(["lastfm1k", str(raw), str(tmp_path), "--name", key, "--item-key", key]) == 0
        rows = json.loads((tmp_path / key / f"{key}.stats.json").read_text())["rows"]
        assert (rows["read"], rows["written"], sum(rows["dropped"].values())) == (
            5_000,
            len(kept),
            5_000 - len(kept),
        )
        written = [
            line.split("\t") for line in (tmp_path / key / f"{key}.inter").read_text().split("\n")[1:-1]
        ]
        expected = sorted(reversed(kept), key=lambda line: (line[0], line[1]))
        assert [row[0] for row in written] == [line[0] for line in expected]
        times = (
            pd.to_datetime([line[1] for line in expected])
            .tz_localize(None)
            .astype("datetime64[s]")
            .astype("int64")
        )
        assert [int(row[2]) for row in written] == times.tolist()
        if key == "mbid":
            assert [row[1] for row in written] == [line[4] for line in expected]
