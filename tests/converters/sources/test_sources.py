"""What only one source does: keys, features, profiles, types, columns."""

import datetime
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_logs import tar_gz

from dataset_converters.__main__ import main
from dataset_converters.sources.lastfm1k import PLAYS, PROFILES


def convert(source: str, path: Path, *arguments: object) -> "dict[str, str]":
    """Convert and return the files by suffix."""
    out = path.parent / "out"
    assert main([source, str(path), str(out), "--name", "x", "--overwrite", *map(str, arguments)]) == 0
    return {
        file.suffix: file.read_text(encoding="utf-8")
        for file in (out / "x").iterdir()
        if file.suffix != ".arrow"
    }


def rows(text: str) -> "list[list[str]]":
    return [line.split("\t") for line in text.splitlines()[1:]]


LASTFM = (
    'u1\t2009-05-04T10:00:00Z\ta1\tArt "One"\tm2\tLate\n'
    'u1\t2009-05-04T10:00:00Z\ta1\tArt "One"\tm1\tEarly\n'
    "u1\t2009-05-04T09:00:00Z\t\tNobody\t\tNameless\n"
    "u2\t2009-05-04T09:00:00Z\ta2\tAn\tm1\tOther name\n"
)
PEOPLE = (
    "#id\tgender\tage\tcountry\tregistered\nu1\tm\t33\tJapan\tAug 13, 2006\nu2\tf\t\t\t\nu3\t\t\t\t\nbroken\n"
)


def test_lastfm_ties_are_newest_first_and_names_come_along(tmp_path: Path) -> None:
    (tmp_path / PLAYS).write_text(LASTFM)
    files = convert("lastfm1k", tmp_path / PLAYS)
    assert [row[1] for row in rows(files[".inter"])] == ["m1", "m2", "m1"]
    assert files[".item"].splitlines() == [
        "item_id:token\tartist:token\ttrack:token\tartist_id:token",
        "m2\tArt %22One%22\tLate\ta1",
        "m1\tArt %22One%22\tEarly\ta1",
    ]
    assert ".user" not in files


def test_lastfm_items_by_name(tmp_path: Path) -> None:
    (tmp_path / PLAYS).write_text(LASTFM)
    files = convert("lastfm1k", tmp_path / PLAYS, "--item-key", "name")
    assert [row[1] for row in rows(files[".inter"])] == [
        "Nobody \u2013 Nameless",
        "Art %22One%22 \u2013 Early",
        "Art %22One%22 \u2013 Late",
        "An \u2013 Other name",
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_lastfm_archive_with_profiles_before_or_behind(tmp_path: Path, order: int) -> None:
    files = {f"lastfm-dataset-1K/{PLAYS}": LASTFM.encode(), f"lastfm-dataset-1K/{PROFILES}": PEOPLE.encode()}
    path = tmp_path / "lastfm-dataset-1K.tar.gz"
    path.write_bytes(tar_gz(dict(list(files.items())[::order])))
    made = convert("lastfm1k", path)
    assert len(rows(made[".inter"])) == 3
    assert made[".user"].splitlines() == [
        "user_id:token\tgender:token\tage:float\tcountry:token\tsignup:token",
        "u1\tm\t33\tJapan\tAug 13, 2006",
        "u2\tf\t\t\t",
    ]
    notes = json.loads((tmp_path / "out" / "x" / "x.stats.json").read_text())["notes"]
    assert notes["users without plays, left out of .user"] == 1
    assert notes[f"lines of {PROFILES} that cannot be read"] == 1


def test_lastfm_profiles_beside_the_plays(tmp_path: Path) -> None:
    (tmp_path / PLAYS).write_text(LASTFM)
    (tmp_path / PROFILES).write_text(PEOPLE)
    assert len(rows(convert("lastfm1k", tmp_path)[".user"])) == 2


def test_yandex_types_and_ratings(tmp_path: Path) -> None:
    lines = ["h,h,h,h,h", "u,track,5,play,10", "u,album,5,like,20", "u,artist,5,play,30", "u,track,6,skip,40"]
    path = tmp_path / "user_events"
    path.write_text("\n".join(lines))
    arguments = ["--item-types", "track,album", "--ratings", "play=3,like=4"]
    assert rows(convert("yandex", path, *arguments)[".inter"]) == [
        ["u", "5", "10", "3"],
        ["u", "album-5", "20", "4"],
    ]


def test_listenbrainz_ids_and_oddities(tmp_path: Path) -> None:
    def listen(**names: object) -> str:
        return json.dumps({"listened_at": 5, "user_name": "u", "track_metadata": names})

    lines = [
        listen(artist_name="A", track_name="T", mbid_mapping={"recording_mbid": "m"}),
        listen(artist_name="A", track_name="T", additional_info={"recording_mbid": "n"}),
        listen(artist_name="A", track_name="T", mbid_mapping=None, additional_info={}),
        listen(artist_name="A", mbid_mapping={"recording_mbid": None}),
        '{"listened_at": 6, "user_name": null, "track_metadata": {"mbid_mapping": {"recording_mbid": "m"}}}',
        '{"listened_at": null, "user_name": "u", "track_metadata": {"mbid_mapping": {"recording_mbid": 1}}}',
        '{"listened_at": 6, "user_name": "u", "track_metadata": 3}',
        "null",
        "[1]",
        '{"a": 1} null {"a": 2}',
        "{",
    ]
    path = tmp_path / "1.listens"
    path.write_text("\n".join(lines))
    files = convert("listenbrainz", path)
    assert [row[1] for row in rows(files[".inter"])] == ["m", "n"]
    dropped = json.loads((tmp_path / "out" / "x" / "x.stats.json").read_text())["rows"]["dropped"]
    assert dropped == {
        "line is no JSON object": 4,
        "no MusicBrainz id of the recording (--item-key name keeps such listens)": 3,
        "user missing or empty": 1,
        "time missing or not understood": 1,
    }
    assert files[".rejects"].splitlines() == lines[-4:]
    assert [row[1] for row in rows(convert("listenbrainz", path, "--item-key", "name")[".inter"])] == [
        "A \u2013 T"
    ] * 3


def test_lfm1b_artists_and_albums(tmp_path: Path) -> None:
    path = tmp_path / "LFM-1b_LEs.txt"
    path.write_text("31435623\t2\t4\t4\t1385212958\n31435623\t2\t4\t5\t1385212642\n")
    assert convert("lfm1b", path)[".item"].splitlines() == [
        "item_id:token\tartist:token\talbum:token",
        "4\t2\t4",
        "5\t2\t4",
    ]


COLUMNS = ("--user", "u", "--item", "i", "--time", "t")


def test_table_folder_of_mixed_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "1.csv").write_text('t,u,i\n10,"a, b",x\n11,"say ""hi""",x\n')
    (folder / "2.tsv").write_text('i\tu\tt\n"y\tc\t12\n')
    times = pa.array([datetime.datetime(1970, 1, 1, 0, 0, 13)], pa.timestamp("ms"))
    pq.write_table(pa.table({"u": [3.0], "i": [7], "t": times}), folder / "3.parquet")
    (folder / "notes.md").write_text("not data")
    (folder / "4.csv").write_text("")
    assert rows(convert("table", folder, *COLUMNS)[".inter"]) == [
        ["a, b", "x", "10", "1"],
        ["say %22hi%22", "x", "11", "1"],
        ["c", "%22y", "12", "1"],
        ["3", "7", "13", "1"],
    ]
    out = capsys.readouterr().out
    assert "note: 1 files of raw passed over, not .csv, .tsv, .txt, .parquet" in out
    assert "note: 1 files without a line" in out


def test_table_events_ratings_delimiters_and_time_formats(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("u;i;t;e;r\na;x;04.05.2009 23:08;play;2.5\na;y;04.05.2009 23:09;love;bad\n")
    arguments = [*COLUMNS, "--delimiter", ";", "--time-format", "%d.%m.%Y %H:%M"]
    assert rows(
        convert("table", path, *arguments, "--event", "e", "--ratings", "play=1,love=2")[".inter"]
    ) == [
        ["a", "x", "1241478480", "1"],
        ["a", "y", "1241478540", "2"],
    ]
    assert rows(convert("table", path, *arguments, "--rating", "r")[".inter"]) == [
        ["a", "x", "1241478480", "2.5"]
    ]


def test_table_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("u,i,t\na,late,5\na,early,5\n")
    assert [row[1] for row in rows(convert("table", path, *COLUMNS)[".inter"])] == ["late", "early"]
    made = convert("table", path, *COLUMNS, "--newest-first")
    assert [row[1] for row in rows(made[".inter"])] == ["early", "late"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: --user, --item, --time"),
        (["--user", "u", "--item", "i", "--time", "x"], "no column 'x'; it has 'u', 'i', 't', 't2', 't2'"),
        (["--user", "u", "--item", "i", "--time", "t2"], "more than one column 't2'"),
        ([*COLUMNS, "--event", "u", "--rating", "i"], "exclude each other"),
        ([*COLUMNS, "--delimiter", "ab"], "--delimiter 'ab': need one ASCII character"),
        ([*COLUMNS, "--delimiter", ""], "--delimiter '': need one ASCII character"),
    ],
)
def test_table_mistakes(tmp_path: Path, arguments: list, message: str, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "a.csv"
    path.write_text("u,i,t,t2,t2\n1,2,3,4,5\n")
    assert main(["table", str(path), str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
