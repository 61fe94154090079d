"""Bad input: a counted drop or one clear line, never a lost row and never a stack trace."""

import errno
import json
import time
from pathlib import Path

import pytest
from raw_logs import DUMPS, PACKERS, Dump, convert, every_dump, inter, tar_gz, write

from dataset_converters import pipeline

Capture = pytest.CaptureFixture


def refuse(path: Path, dump: Dump, capsys: Capture, *arguments: object) -> str:
    """Convert what cannot be, and return the one line that says why."""
    out = path.parent / "refused"
    assert convert(path, dump, out, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert not list(out.glob("**/*"))
    return captured.err


def rows(out: Path) -> dict:
    """Return rows read, written and dropped; check that they add up to the file."""
    counted = json.loads((out / "x" / "x.stats.json").read_text(encoding="utf-8"))["rows"]
    assert counted["written"] == len(inter(out))
    assert counted["read"] == counted["written"] + sum(counted["dropped"].values())
    return counted


@every_dump
def test_empty_files_and_headers_alone(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    for text in ("", f"{dump.header}\n" if dump.header else "", "\ufeff"):
        assert "the raw data holds no events" in refuse(write(tmp_path, dump, text), dump, capsys)


@every_dump
@pytest.mark.parametrize("suffix", PACKERS)
def test_packed_files_cut_off(tmp_path: Path, dump: Dump, suffix: str, capsys: Capture) -> None:
    path = tmp_path / f"{dump.file}{suffix}"
    packed = PACKERS[suffix]((dump.text() * 200).encode("utf-8"))
    for data in (packed[: len(packed) // 2], packed[:-3], b"no archive at all"):
        path.write_bytes(data)
        assert "is cut off or damaged" in refuse(path, dump, capsys)


@pytest.mark.parametrize("dump", DUMPS[:2], ids=lambda dump: dump.source)
def test_archives(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    path = tmp_path / "data.tar.gz"
    whole = tar_gz({"some/readme": b"x", f"some/{dump.file}": dump.text().encode("utf-8") * 100})
    path.write_bytes(whole)
    assert convert(path, dump, tmp_path / "out") == 0
    assert rows(tmp_path / "out")["read"] >= 400
    capsys.readouterr()
    for data in (whole[: len(whole) // 2], whole[:-4], b"no archive"):
        path.write_bytes(data)
        assert "is cut off or damaged" in refuse(path, dump, capsys)
    path.write_bytes(tar_gz({"readme": b"x"}))
    assert f"is an archive without {dump.file}" in refuse(path, dump, capsys)


@every_dump
def test_wrong_delimiter(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    text = dump.text().replace(dump.delimiter, "|") if dump.delimiter else "a\tb\n" * 4
    message = refuse(write(tmp_path, dump, text), dump, capsys)
    if dump.source == "table":
        assert "has no column 'who'; it has '" in message
    elif dump.header:
        assert "begins with a line without" in message
    else:
        assert "no event is left to write: 4 read, dropped: 4 line" in message


@every_dump
def test_missing_column(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    if not dump.delimiter:
        text = '{"listened_at": 1}\n'
    else:
        lines = dump.text().splitlines()
        text = "".join(f"{line.rpartition(dump.delimiter)[0]}\n" for line in lines)
    message = refuse(write(tmp_path, dump, text), dump, capsys)
    expected = ("no column 'when'", "without 5 comma", "without 3 tab", "no event is left to write")
    assert any(text in message for text in expected)


@every_dump
def test_wrong_column_types(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    lines = [dump.header] if dump.header else []
    text = "".join(f"{line}\n" for line in [*lines, dump.row(time="soon"), dump.row(time="never")])
    message = refuse(write(tmp_path, dump, text), dump, capsys)
    assert "no event is left to write: 2 read, dropped: 2 time missing or not understood" in message


@every_dump
def test_invalid_utf8_is_rejected_line_by_line(tmp_path: Path, dump: Dump) -> None:
    bad = dump.row(user="zoë").encode("latin-1") + b"\n"
    data = dump.text().encode("utf-8") + bad + dump.row(user="zoë").encode("utf-8") + b"\n"
    assert convert(write(tmp_path, dump, data), dump, tmp_path / "out") == 0
    assert rows(tmp_path / "out") == {"read": 6, "written": 5, "dropped": {"line is not UTF-8": 1}}
    assert (tmp_path / "out" / "x" / "x.rejects").read_bytes() == bad
    assert sum("zoë" in line for line in inter(tmp_path / "out")) == 1


@every_dump
def test_utf16_is_refused(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    assert "save it as UTF-8" in refuse(write(tmp_path, dump, dump.text().encode("utf-16")), dump, capsys)


@every_dump
def test_no_line_ends(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    path = write(tmp_path, dump, b"x" * (1 << 24) * 2)
    assert "is no text of lines" in refuse(path, dump, capsys)


@every_dump
@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("-1", "time outside the years 1970 to 9999"),
        ("1969-12-31T23:59:59Z", "time outside the years 1970 to 9999"),
        ("99999999999999999999", "time outside the years 1970 to 9999"),
        ("", "time missing or not understood"),
        ("yesterday", "time missing or not understood"),
        ("2009-13-40T25:61:00Z", "time missing or not understood"),
        ("future", "time in the future"),
    ],
)
def test_impossible_times_are_counted(tmp_path: Path, dump: Dump, when: str, reason: str) -> None:
    if when == "future":
        ahead = time.time() + 3 * 86_400
        iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ahead))
        when = iso if dump.iso else str(int(ahead))
    numeric = when.lstrip("-").isdigit()
    both = dump.source in ("table", "listenbrainz")
    if (numeric and dump.iso and not both) or ("19" in when[:2] and not (dump.iso or both)):
        reason = "time missing or not understood"
    text = dump.text() + dump.row(time=when) + "\n"
    assert convert(write(tmp_path, dump, text), dump, tmp_path / "out") == 0
    assert rows(tmp_path / "out")["dropped"] == {reason: 1}


@every_dump
def test_missing_users_and_items_are_counted(tmp_path: Path, dump: Dump) -> None:
    text = dump.text() + "".join(f"{dump.row(**{gap: ''})}\n" for gap in ("user", "item", "item"))
    assert convert(write(tmp_path, dump, text), dump, tmp_path / "out") == 0
    dropped = rows(tmp_path / "out")["dropped"]
    assert dropped.pop("user missing or empty") == 1
    assert list(dropped.values()) == [2]


@every_dump
def test_ids_that_tear_lines_are_escaped_or_rejected(tmp_path: Path, dump: Dump) -> None:
    awkward = ['"', '"x', "a b ", " ", "NA", "null", "%", "é—ß", "\u2028", "\x1f"]
    text = dump.text() + "".join(f"{dump.row(item=item)}\n" for item in awkward)
    assert convert(write(tmp_path, dump, text), dump, tmp_path / "out") == 0
    counted = rows(tmp_path / "out")
    if dump.file == "plays.csv":  # here a quote means something
        assert counted["dropped"] == {"line with an unclosed quote": 2}
    elif dump.delimiter:
        assert counted["dropped"] == {}
    assert all(line.count("\t") == 3 for line in inter(tmp_path / "out"))
    items = {line.split("\t")[1] for line in inter(tmp_path / "out")}
    assert {"%4EA", "%6Eull", "%25", "a b%20", "%20", "é—ß", "%E2%80%A8", "%1F"} <= items


@every_dump
def test_a_delimiter_inside_an_id_is_rejected_and_kept(tmp_path: Path, dump: Dump) -> None:
    bad = dump.row(item=f"a{dump.delimiter or chr(9)}b")
    write(tmp_path, dump, f"{dump.text()}{bad}\n")
    assert convert(tmp_path / dump.file, dump, tmp_path / "out") == 0
    if dump.delimiter:
        assert list(rows(tmp_path / "out")["dropped"].values()) == [1]
        assert (tmp_path / "out" / "x" / "x.rejects").read_text(encoding="utf-8") == f"{bad}\n"
    else:  # JSON can say it: the tab arrives escaped
        assert "a%09b" in {line.split("\t")[1] for line in inter(tmp_path / "out")}


@every_dump
def test_empty_and_torn_lines(tmp_path: Path, dump: Dump) -> None:
    torn = dump.row()[:4]
    text = f"{dump.text()}\n{torn}\n\n{dump.row()}\n{dump.row()[:4]}\r{dump.row()[4:]}\n\n"
    assert convert(write(tmp_path, dump, text), dump, tmp_path / "out") == 0
    counted = rows(tmp_path / "out")
    assert (counted["read"], counted["written"]) == (10, 5)
    assert counted["dropped"]["line with a stray carriage return"] == 1
    assert torn in (tmp_path / "out" / "x" / "x.rejects").read_text(encoding="utf-8").splitlines()


@every_dump
def test_repeated_rows_stay_unless_told_otherwise(tmp_path: Path, dump: Dump) -> None:
    path = write(tmp_path, dump, dump.text() + f"{dump.row()}\n" * 3)
    assert convert(path, dump, tmp_path / "out") == 0
    assert rows(tmp_path / "out")["dropped"] == {}
    notes = json.loads((tmp_path / "out" / "x" / "x.stats.json").read_text())["notes"]
    assert notes["plays alike in user, item, time and rating to another, kept"] == 3
    assert convert(path, dump, tmp_path / "out", "--drop-duplicates", "--overwrite") == 0
    assert rows(tmp_path / "out")["dropped"] == {
        "duplicate: user, item, time and rating of an earlier row": 3
    }


@every_dump
def test_folders_without_the_file(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    (tmp_path / "raw").mkdir()
    assert "is a folder without" in refuse(tmp_path / "raw", dump, capsys)
    assert "no file" in refuse(tmp_path / "nowhere", dump, capsys)


@every_dump
@pytest.mark.parametrize("step", ["write_inter", "write_statistics", "write_properties"])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, dump: Dump, step: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def fail(path: Path, *rest: object) -> None:
        path.write_text("half a file")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pipeline, step, fail)
    assert "No space left on device" in refuse(write(tmp_path, dump), dump, capsys)


@every_dump
def test_an_earlier_conversion_is_kept(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    path = write(tmp_path, dump)
    assert convert(path, dump, tmp_path / "out") == 0
    before = inter(tmp_path / "out")
    write(tmp_path, dump, dump.text() * 2)
    assert convert(path, dump, tmp_path / "out") == 2
    assert "give --overwrite or --name" in capsys.readouterr().err
    assert inter(tmp_path / "out") == before


def test_unknown_events_are_counted_by_name(tmp_path: Path) -> None:
    dump = DUMPS[1]
    lines = ["a,track,1,play,5", "a,track,1,share,6", "a,track,1,,7", "a,album,1,play,8", "a,,1,play,9"]
    lines += ["a,track,2,like,10", "a,track,2,skip,11", "a,track,2,dislike,12"]
    path = write(tmp_path, dump, "\n".join([dump.header, *lines]))
    assert convert(path, dump, tmp_path / "out") == 0
    assert inter(tmp_path / "out") == ["a\t1\t5\t1", "a\t2\t10\t2", "a\t2\t11\t-1", "a\t2\t12\t-2"]
    assert rows(tmp_path / "out")["dropped"] == {
        "event share not among --ratings (like, play, skip, dislike)": 1,
        "event missing not among --ratings (like, play, skip, dislike)": 1,
        "item type album not among --item-types": 1,
        "item type missing not among --item-types": 1,
    }


def test_headers_are_not_taken_for_rows_nor_rows_for_headers(tmp_path: Path, capsys: Capture) -> None:
    for dump in DUMPS[1:3]:
        text = dump.text().split("\n", 1)[1]
        assert "has no header line" in refuse(write(tmp_path, dump, text), dump, capsys)


@every_dump
def test_carriage_returns_alone_are_refused_by_name(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    message = refuse(write(tmp_path, dump, dump.text().replace("\n", "\r")), dump, capsys)
    assert f"{dump.file} ends its lines with carriage returns alone" in message


@pytest.mark.parametrize("dump", DUMPS[5:], ids=lambda dump: dump.file)
def test_a_header_of_a_million_fields_is_refused_by_name(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    text = (dump.delimiter * 1_000_000) + "\n" + dump.row() + "\n"
    assert f"{dump.file} begins with a line of 1,000,001 fields" in refuse(
        write(tmp_path, dump, text), dump, capsys
    )


@every_dump
def test_links_to_nothing_are_refused_by_name(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    raw = tmp_path / "raw"
    write(raw / "sub", dump)
    (raw / dump.file).symlink_to("gone")
    assert f"{dump.file} is a link to gone, which is not there" in refuse(raw, dump, capsys)
    assert f"{dump.file} is a link to gone, which is not there" in refuse(raw / dump.file, dump, capsys)


@pytest.mark.parametrize("dump", DUMPS[4:6], ids=lambda dump: dump.source)
def test_one_link_to_nothing_among_files_is_refused(tmp_path: Path, dump: Dump, capsys: Capture) -> None:
    path = write(tmp_path / "raw", dump)
    path.with_name(f"0{dump.file}").symlink_to("gone")
    path.with_name("readme").symlink_to("gone")
    assert f"0{dump.file} is a link to gone" in refuse(tmp_path / "raw", dump, capsys)


def test_links_to_nothing_beside_the_plays_are_refused(tmp_path: Path, capsys: Capture) -> None:
    write(tmp_path / "raw", DUMPS[0])
    (tmp_path / "raw" / "userid-profile.tsv").symlink_to("gone")
    assert "userid-profile.tsv is a link to gone" in refuse(tmp_path / "raw", DUMPS[0], capsys)


def test_folders_among_the_files_are_noted(tmp_path: Path, capsys: Capture) -> None:
    dump = DUMPS[5]
    write(tmp_path / "raw", dump)
    (tmp_path / "raw" / "more.csv").mkdir()
    assert convert(tmp_path / "raw", dump, tmp_path / "out") == 0
    assert "note: 1 folders in raw passed over" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("table", ""),
        ("yambda", "; give a parquet file of Yambda, or the folder of its parts"),
        ("parquet", "; give the folder that holds interactions.parquet, or the file itself"),
    ],
)
def test_a_missing_parquet_file(tmp_path: Path, source: str, advice: str, capsys: Capture) -> None:
    dump = Dump(source, "", str, options=DUMPS[5].options if source == "table" else {})
    path = tmp_path / "a.parquet"
    assert refuse(path, dump, capsys) == f"error: no file {path}{advice}\n"
