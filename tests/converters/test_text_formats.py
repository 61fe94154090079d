"""The same few plays in every text format: they convert alike, and other tests spoil them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from raw_logs import DUMPS, PACKERS, Dump, convert, every_dump, inter, write

from dataset_converters import pipeline
from dataset_converters.events.store import EventStore

EXPECTED = [
    "ann\tt1\t1241474400\t1",
    "ann\tt2\t1241478000\t1",
    "ann\tt1\t1241478537\t1",
    "bob\tt1\t1199145600\t1",
]


@every_dump
def test_every_format_says_the_same(tmp_path: Path, dump: Dump, capsys: pytest.CaptureFixture) -> None:
    assert convert(write(tmp_path, dump), dump, tmp_path / "out") == 0
    assert inter(tmp_path / "out") == EXPECTED
    assert "rows: 4 read, 4 written, 0 dropped" in capsys.readouterr().out
    assert not (tmp_path / "out" / "x" / "x.rejects").exists()


@every_dump
@pytest.mark.parametrize("suffix", PACKERS)
def test_packed_files_are_unpacked_on_the_way(tmp_path: Path, dump: Dump, suffix: str) -> None:
    path = tmp_path / f"{dump.file}{suffix}"
    path.write_bytes(PACKERS[suffix](dump.text().encode("utf-8")))
    assert convert(path, dump, tmp_path / "out") == 0
    assert inter(tmp_path / "out") == EXPECTED


@every_dump
@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data[:-1],
        lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")[:-2],
    ],
    ids=["byte-order mark", "Windows line ends", "no last line end", "all of it"],
)
def test_editors_habits_change_nothing(tmp_path: Path, dump: Dump, spoil: Callable) -> None:
    path = write(tmp_path, dump, spoil(dump.text().encode("utf-8")))
    assert convert(path, dump, tmp_path / "out") == 0
    assert inter(tmp_path / "out") == EXPECTED


@every_dump
def test_a_folder_stands_for_the_file_in_it(tmp_path: Path, dump: Dump) -> None:
    write(tmp_path / "raw", dump)
    assert convert(tmp_path / "raw", dump, tmp_path / "out") == 0
    assert inter(tmp_path / "out") == EXPECTED


@every_dump
def test_same_input_same_bytes(tmp_path: Path, dump: Dump) -> None:
    path = write(tmp_path, dump, dump.text() * 3)
    contents = []
    for out in ("a", "b"):
        assert convert(path, dump, tmp_path / out, "--min-item-plays", 2, "--users", 1) == 0
        contents.append({file.name: file.read_bytes() for file in (tmp_path / out / "x").iterdir()})
    assert contents[0] == contents[1]


@every_dump
@pytest.mark.parametrize("memory", [0, 200])
def test_disk_and_memory_give_the_same_bytes(
    tmp_path: Path, dump: Dump, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataset_converters.events.store._CHUNK", 3)
    path = write(tmp_path, dump, dump.text() + dump.text().replace("t1", "NA").replace("bob", "eve"))
    assert convert(path, dump, tmp_path / "memory") == 0
    monkeypatch.setattr(pipeline, "EventStore", partial(EventStore, memory=memory))
    assert convert(path, dump, tmp_path / "disk") == 0
    memory_files, disk_files = (
        {file.name: file.read_bytes() for file in (tmp_path / out / "x").iterdir()}
        for out in ("memory", "disk")
    )
    assert memory_files == disk_files
    assert len(memory_files) >= 3


ODD_LISTENS = [
    '{"user_name":"ann","track_metadata":{"mbid_mapping":{"recording_mbid":"t"}},"listened_at":1.5}',
    '{"user_name":7,"user_name":8,"track_metadata":{"mbid_mapping":null,"additional_info":'
    '{"recording_mbid":true}},"listened_at":"5"}',
    '{"user_name":"\\u00e9\\n\\"","track_metadata":{"mbid_mapping":{"recording_mbid":""},'
    '"additional_info":{"recording_mbid":["m",{"a":1}]}},"listened_at":1e3}',
    '{"track_metadata":"x","listened_at":12345678901234567890}',
    "{}",
]


@pytest.mark.parametrize("other", ["null", " {}", '{"user_name":"\\ud800"}', "{", "[]"])
def test_a_line_of_another_kind_changes_no_listen(tmp_path: Path, other: str) -> None:
    """All lines of a block are parsed in a quicker way as long as every one is an object."""
    dump = next(dump for dump in DUMPS if dump.source == "listenbrainz")
    for out, lines in (("quick", ODD_LISTENS), ("careful", [*ODD_LISTENS, other])):
        path = write(tmp_path, dump, "".join(f"{line}\n" for line in lines))
        assert convert(path, dump, tmp_path / out) == 0
    assert inter(tmp_path / "quick") == inter(tmp_path / "careful")
    assert len(inter(tmp_path / "quick")) == 3
