"""Speed and memory of the converters, beside a plain Python program on a file of the same format.

python benchmarks/converters.py --folder dumps               # 20 and 5 million rows; needs 8 GB of disk
python benchmarks/converters.py --rows 500000 --plain-rows 200000 --sources lastfm1k,table

Dumps come from the simulator. Every measurement runs in a process of its own, which reports its peak of
resident memory. One JSON line a source: rows, seconds, rows_per_second, peak_rss_mb; the same with plain_ in
front for the plain program; and ratio, the quotient of the two rates.
"""

from __future__ import annotations

import argparse
import bz2
import calendar
import json
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from dataset_converters import convert
from dataset_converters.common.ledger import Ledger
from dataset_converters.simulator.simulate import SimulateOptions, read_events

Row = tuple[str, str, int, str]
"""User, item, Unix seconds, rating."""

ISO = "%Y-%m-%dT%H:%M:%SZ"
SPACED = "%Y-%m-%d %H:%M:%S"
EVENTS = {"-2": "dislike", "-1": "skip", "1": "play", "2": "like"}
BATCH = 100_000
PART = 1_000_000  # plays that are simulated at once


def simulated(rows: int) -> Iterator[pa.Table]:
    """Yield plays with string columns user, item, seconds, event and a timestamp: one log after the other."""
    for part, begin in enumerate(range(0, rows, PART)):
        plays = min(PART, rows - begin)
        users = max(plays // 5_000, 2)
        options = SimulateOptions(users, max(plays // 30, 100), plays, days=1_000, seed=part)
        for batch in read_events(options, Ledger()).batches:
            moments = pc.divide(batch["time_us"], 1_000_000).cast(pa.timestamp("s", "UTC"))
            number = batch["rating"].cast(pa.int64()).cast(pa.string())
            events = pa.array(EVENTS.values()).take(pc.index_in(number, value_set=pa.array(EVENTS)))
            columns = {
                "user": joined(f"u{part + 1}{{}}", pc.utf8_slice_codeunits(batch["user"], 1)),
                "item": joined(f"t{part + 1}{{}}", pc.utf8_slice_codeunits(batch["item"], 1)),
                "seconds": moments.cast(pa.int64()).cast(pa.string()),
                "event": events,
                "moment": moments,
            }
            yield pa.table(columns)


def spaced(plays: pa.Table) -> pa.Table:
    """Return user, item and time as people write it."""
    return pa.table([plays["user"], plays["item"], pc.strftime(plays["moment"], SPACED)], names=list("abc"))


def joined(pattern: str, item: pa.Array) -> pa.Array:
    """Put the item into a text."""
    before, after = pattern.split("{}")
    return pc.binary_join_element_wise(before, item, after, "")


def lines(path: Path, tables: Iterator[pa.Table], delimiter: str = "\t", header: str = "") -> Path:
    """Write tables of strings, without quoting."""
    options = pa_csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
    with path.open("wb") as file:
        file.write(header.encode())
        for table in tables:
            pa_csv.write_csv(table, file, write_options=options)
    return path


def dump_lastfm1k(folder: Path, rows: int) -> Path:
    """About 125 bytes a line, as the real file has; newest first in every batch of the simulator."""

    def shape(plays: pa.Table) -> pa.Table:
        plays = plays.take(pa.array(range(plays.num_rows - 1, -1, -1)))
        mbid = joined("0a1b2c3d-4e5f-6071-8293-a4{}", plays["item"])
        artist_id = joined("9f8e7d6c-5b4a-4938-2716-05{}", pc.utf8_slice_codeunits(plays["item"], 0, 5))
        track = joined("The Song of {}", plays["item"])
        columns = [
            plays["user"],
            pc.strftime(plays["moment"], ISO),
            artist_id,
            joined("Band {}", plays["item"]),
            mbid,
            track,
        ]
        return pa.table(columns, names=list("abcdef"))

    name = "userid-timestamp-artid-artname-traid-traname.tsv"
    return lines(folder / name, map(shape, simulated(rows)))


def dump_yandex(folder: Path, rows: int) -> Path:
    """Write CSV with a header; every row is a track."""

    def shape(plays: pa.Table) -> pa.Table:
        kind = pa.array(["track"] * plays.num_rows)
        columns = [plays["user"], kind, plays["item"], plays["event"], plays["seconds"]]
        return pa.table(columns, names=list("abcde"))

    return lines(folder / "user_events", map(shape, simulated(rows)), ",", "user,type,item,event,time\n")


def dump_lfm1b(folder: Path, rows: int) -> Path:
    """Write five tab separated columns without a header."""

    def shape(plays: pa.Table) -> pa.Table:
        artist, album = joined("a{}", plays["item"]), joined("b{}", plays["item"])
        return pa.table([plays["user"], artist, album, plays["item"], plays["seconds"]], names=list("abcde"))

    return lines(folder / "LFM-1b_LEs.txt", map(shape, simulated(rows)))


def dump_table(folder: Path, rows: int) -> Path:
    """Write CSV with a header and times as people write them."""
    return lines(folder / "plays.csv", map(spaced, simulated(rows)), ",", "user,item,time\n")


def dump_music4all_onion(folder: Path, rows: int) -> Path:
    """Write TSV and pack it with bzip2."""
    header = "user_id\ttrack_id\ttimestamp\n"
    plain = lines(folder / "plain.tsv", map(spaced, simulated(rows)), header=header)
    path = folder / "userid_trackid_timestamp.tsv.bz2"
    with plain.open("rb") as source, bz2.open(path, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(source, packed, 1 << 20)
    plain.unlink()
    return path


def dump_listenbrainz(folder: Path, rows: int) -> Path:
    """Write JSON lines of about 230 bytes."""
    pattern = (
        '"track_metadata":{"artist_name":"Somebody","track_name":"A song","additional_info":'
        '{"tracknumber":7,"tags":[]},"mbid_mapping":{"recording_mbid":"0a1b2c3d-4e5f-6071-8293-{}","caa_id":null}}}'
    )

    path = folder / "1.listens"
    before, after = pattern.rsplit("{}", 1)
    with path.open("w", encoding="utf-8") as file:
        for plays in simulated(rows):
            user = pc.binary_join_element_wise(',"user_name":"', plays["user"], '",', "")
            parts = ['{"listened_at":', plays["seconds"], user, before, plays["item"], after, "\n"]
            file.writelines(pc.binary_join_element_wise(*parts, "").to_pylist())
    return path


def dump_yambda(folder: Path, rows: int) -> Path:
    """Write flat parquet with numbers for ids."""
    path, writer = folder / "listens.parquet", None
    for plays in simulated(rows):
        number = [pc.utf8_slice_codeunits(plays[name], 1).cast(pa.uint32()) for name in ("user", "item")]
        ratio = pc.if_else(pc.is_in(plays["event"], value_set=pa.array(["play", "like"])), 100, 20)
        columns = [*number, plays["seconds"].cast(pa.uint32()), ratio.cast(pa.uint16())]
        table = pa.table(columns, names=["uid", "item_id", "timestamp", "played_ratio_pct"])
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()
    return path


def dump_parquet(folder: Path, rows: int) -> Path:
    """Write nested parquet, a row for each user."""
    path, writer = folder / "interactions.parquet", None
    grouped = _whole_users(simulated(rows))
    for plays in grouped:
        index = pc.utf8_slice_codeunits(plays["item"], 1).cast(pa.int64()).combine_chunks()
        times = plays["seconds"].cast(pa.int64()).cast(pa.timestamp("s", "UTC")).combine_chunks()
        action = pc.if_else(pc.is_in(plays["event"], value_set=pa.array(["play", "like"])), 1, -1)
        structs = pa.StructArray.from_arrays(
            [index, times, action.combine_chunks()], names=["track_index", "time", "action"]
        )
        counts = pc.value_counts(plays["user"].combine_chunks())
        ends = pc.cumulative_sum(counts.field("counts")).to_pylist()
        actions = pa.ListArray.from_arrays(pa.array([0, *ends], pa.int32()), structs)
        table = pa.table({"character_index": counts.field("values"), "actions": actions})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=64)
    if writer:
        writer.close()
    return path


def _whole_users(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Cut a stream of plays, user by user, so that no user is cut."""
    rest: pa.Table | None = None
    for table in tables:
        table = pa.concat_tables([rest, table]) if rest is not None else table
        last = pc.equal(table["user"], table["user"][-1])
        rest = table.filter(last)
        if rest.num_rows < table.num_rows:
            yield table.filter(pc.invert(last))
    if rest is not None:
        yield rest


def by_strptime(text: str, form: str) -> int:
    """Parse a time as most programs do."""
    return calendar.timegm(time.strptime(text, form))


def plain_lastfm1k(path: Path) -> Iterator[Row]:
    """Read the TSV."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            user, moment, _, _, item, _ = line.rstrip("\n").split("\t")
            if item:
                yield user, item, by_strptime(moment, ISO), "1"


def plain_yandex(path: Path) -> Iterator[Row]:
    """Read the CSV."""
    ratings = {event: rating for rating, event in EVENTS.items()}
    with path.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            user, kind, item, event, seconds = line.rstrip("\n").split(",")
            if kind == "track":
                yield user, item, int(seconds), ratings[event]


def plain_lfm1b(path: Path) -> Iterator[Row]:
    """Read the TSV."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            user, _, _, item, seconds = line.rstrip("\n").split("\t")
            yield user, item, int(seconds), "1"


def plain_table(path: Path) -> Iterator[Row]:
    """Read the CSV."""
    with path.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            user, item, moment = line.rstrip("\n").split(",")
            yield user, item, by_strptime(moment, SPACED), "1"


def plain_music4all_onion(path: Path) -> Iterator[Row]:
    """Read the packed TSV."""
    with bz2.open(path, "rt", encoding="utf-8") as file:
        next(file)
        for line in file:
            user, item, moment = line.rstrip("\n").split("\t")
            yield user, item, by_strptime(moment, SPACED), "1"


def plain_listenbrainz(path: Path) -> Iterator[Row]:
    """Read the JSON lines."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            listen = json.loads(line)
            item = listen["track_metadata"]["mbid_mapping"]["recording_mbid"]
            yield listen["user_name"], item, listen["listened_at"], "1"


def plain_yambda(path: Path) -> Iterator[Row]:
    """Read the parquet file, and go through its rows in Python."""
    for batch in pq.ParquetFile(path).iter_batches(BATCH):
        for row in batch.to_pylist():
            rating = "1" if row["played_ratio_pct"] >= 50 else "-1"
            yield str(row["uid"]), str(row["item_id"]), row["timestamp"], rating


def plain_parquet(path: Path) -> Iterator[Row]:
    """Read the parquet file, and go through its rows in Python."""
    for batch in pq.ParquetFile(path).iter_batches(64):
        for row in batch.to_pylist():
            for action in row["actions"]:
                seconds = int(action["time"].timestamp())
                yield row["character_index"], str(action["track_index"]), seconds, str(action["action"])


def plain_write(rows: Iterator[Row], out: Path) -> int:
    """Sort within the user and write: the plain program behind every reader."""
    users: dict[str, list[tuple[int, str, str]]] = {}
    for user, item, seconds, rating in rows:
        users.setdefault(user, []).append((seconds, item, rating))
    count = 0
    with out.open("w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\trating:float\n")
        for user, plays in users.items():
            plays.sort(key=lambda play: play[0])
            for seconds, item, rating in plays:
                file.write(f"{user}\t{item}\t{seconds}\t{rating}\n")
            count += len(plays)
    return count


OPTIONS = {"table": {"user": "user", "item": "item", "time": "time"}}
"""What a source needs to know about its dump."""

SOURCES = ("lastfm1k", "yandex", "lfm1b", "table", "music4all_onion", "listenbrainz", "yambda", "parquet")


def measure_converter(source: str, path: Path, out: Path) -> int:
    """Convert, and return the rows written."""
    made = convert(source, path, out, name="x", **OPTIONS.get(source, {}))
    return int(made.statistics["rows"]["written"])


def measure_plain(source: str, path: Path, out: Path) -> int:
    """Run the plain program, and return the rows it wrote."""
    return plain_write(globals()[f"plain_{source}"](path), out / "x.inter")


def make_dump(source: str, folder: Path, rows: int) -> Path:
    """Make a dump, and return its path."""
    return Path(globals()[f"dump_{source}"](folder, rows))


def in_own_process(run: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Run a function in a fresh process: its result, seconds and peak of resident memory."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_report, run, arguments).result()


def _report(run: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    begin = time.perf_counter()
    result = run(*arguments)
    seconds = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss // 1024
    return {"result": result, "seconds": seconds, "cpu_seconds": cpu, "peak_rss_mb": peak}


def benchmark(source: str, folder: Path, rows: int, plain_rows: int) -> dict[str, Any]:
    """Measure one source and its plain program, one after the other."""
    small, large = folder / "small", folder / "large"
    for dumps in (small, large):
        dumps.mkdir(parents=True)
    small_path = in_own_process(make_dump, source, small, plain_rows)["result"]
    path = in_own_process(make_dump, source, large, rows)["result"]
    plain = in_own_process(measure_plain, source, small_path, small)
    ours = in_own_process(measure_converter, source, path, folder / "out")
    size = path.stat().st_size
    shutil.rmtree(folder)
    rate, plain_rate = ours["result"] / ours["seconds"], plain["result"] / plain["seconds"]
    return {
        "source": source,
        "rows": ours["result"],
        "file_mb": size // 10**6,
        "seconds": round(ours["seconds"], 1),
        "cpu_seconds": round(ours["cpu_seconds"], 1),
        "rows_per_second": round(rate),
        "peak_rss_mb": ours["peak_rss_mb"],
        "plain_rows": plain["result"],
        "plain_seconds": round(plain["seconds"], 1),
        "plain_cpu_seconds": round(plain["cpu_seconds"], 1),
        "plain_rows_per_second": round(plain_rate),
        "plain_peak_rss_mb": plain["peak_rss_mb"],
        "ratio": round(rate / plain_rate, 2),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where dumps go for a while; default: the system's")
    parser.add_argument("--rows", type=int, help="default: 20 million for lastfm1k, else 5 million")
    parser.add_argument("--plain-rows", type=int, default=1_000_000, help="for the plain program")
    parser.add_argument("--sources", default=",".join(SOURCES))
    arguments = parser.parse_args()
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    for source in arguments.sources.split(","):
        rows = arguments.rows or (20_000_000 if source == "lastfm1k" else 5_000_000)
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            line = benchmark(source, Path(folder) / source, rows, arguments.plain_rows)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
