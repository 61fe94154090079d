"""The same few plays in every text format: they convert alike, and other tests spoil them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import dataset_converters.convert as convert_module
from dataset_converters.__main__ import main
from dataset_converters.events.store import EventStore

PLAYS = [
    ("ann", "t1", "2009-05-04T23:08:57Z", 1_241_478_537),
    ("ann", "t2", "2009-05-04T23:00:00Z", 1_241_478_000),
    ("bob", "t1", "2008-01-01T00:00:00Z", 1_199_145_600),
    ("ann", "t1", "2009-05-04T22:00:00Z", 1_241_474_400),
]
"""User, item, time as text and as Unix seconds."""


@dataclass(frozen=True)
class Dump:
    """One text format.

    Attributes:
        source: Name of the source.
        file: Name of the file.
        line: Makes a line from user, item, time as text and time in seconds, as texts.
        header: First line, empty if the format has none.
        words: Options that the source needs.
        delimiter: Between fields, empty for JSON.
        iso: Whether the format's times are ISO texts.
    """

    source: str
    file: str
    line: Callable[[str, str, str, str], str]
    header: str = ""
    words: tuple[str, ...] = ()
    delimiter: str = "\t"
    iso: bool = False

    def row(self, user: str = "ann", item: str = "t1", time: str | None = None) -> str:
        """Make one line; ``time`` is whatever stands in the format's time field."""
        iso, seconds = ("2009-05-04T23:08:57Z", "1241478537") if time is None else (time, time)
        return self.line(user, item, iso, seconds)

    def text(self) -> str:
        """Return the plays as a file."""
        rows = [self.line(user, item, iso, str(seconds)) for user, item, iso, seconds in PLAYS]
        return "".join(f"{line}\n" for line in ([self.header] if self.header else []) + rows)


def _listen(user: str, item: str, iso: str, seconds: str) -> str:
    try:
        time: Any = int(seconds)
    except ValueError:
        time = seconds
    names = {"artist_name": "A", "track_name": f"{item} song", "mbid_mapping": {"recording_mbid": item}}
    return json.dumps({"listened_at": time, "user_name": user, "track_metadata": names}, ensure_ascii=False)


DUMPS = [
    Dump(
        "lastfm1k",
        "userid-timestamp-artid-artname-traid-traname.tsv",
        lambda user, item, iso, seconds: f"{user}\t{iso}\ta\tA\t{item}\t{item} song",
        iso=True,
    ),
    Dump(
        "yandex",
        "user_events",
        lambda user, item, iso, seconds: f"{user},track,{item},play,{seconds}",
        "user_id,item_type,item_id,event,timestamp",
        delimiter=",",
    ),
    Dump(
        "music4all_onion",
        "userid_trackid_timestamp.tsv",
        lambda user, item, iso, seconds: f"{user}\t{item}\t{iso.replace('T', ' ').replace('Z', '')}",
        "user_id\ttrack_id\ttimestamp",
        iso=True,
    ),
    Dump(
        "lfm1b",
        "LFM-1b_LEs.txt",
        lambda user, item, iso, seconds: f"{user}\tar\tal\t{item}\t{seconds}",
    ),
    Dump("listenbrainz", "1.listens", _listen, delimiter=""),
    Dump(
        "table",
        "plays.csv",
        lambda user, item, iso, seconds: f"x,{item},{user},{iso}",
        "extra,song,who,when",
        ("--user", "who", "--item", "song", "--time", "when"),
        ",",
        iso=True,
    ),
    Dump(
        "table",
        "plays.tsv",
        lambda user, item, iso, seconds: f"{user}\t{item}\t{seconds}",
        "who\tsong\twhen",
        ("--user", "who", "--item", "song", "--time", "when"),
    ),
]
"""The text formats."""

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: zstd(data),
}


def zstd(data: bytes) -> bytes:
    """Pack as a Zstandard stream."""
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(data)
    return packed.getvalue().to_pybytes()


def tar_gz(files: dict[str, bytes]) -> bytes:
    """Pack files into an archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def write(folder: Path, dump: Dump, text: str | bytes | None = None) -> Path:
    """Write the dump, or another text in its place."""
    data = dump.text() if text is None else text
    path = folder / dump.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return path


def convert(path: Path, dump: Dump, out: Path, *words: object) -> int:
    """Run the command line; the data set is called x."""
    given = [dump.source, path, out, "--name", "x", *dump.words, *words]
    return main([str(word) for word in given])


def inter(out: Path) -> list[str]:
    return (out / "x" / "x.inter").read_text(encoding="utf-8").splitlines()[1:]


EXPECTED = [
    "ann\tt1\t1241474400\t1",
    "ann\tt2\t1241478000\t1",
    "ann\tt1\t1241478537\t1",
    "bob\tt1\t1199145600\t1",
]

every_dump = pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: f"{dump.source}-{dump.file}")


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
    monkeypatch.setattr(convert_module, "EventStore", partial(EventStore, memory=memory))
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
