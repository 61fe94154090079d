"""Where a conversion's time goes, and what its least part takes without the converter.

python benchmarks/converters_profile.py --sources yandex,lfm1b --rows 5000000

Dumps are those of converters.py. One JSON line a source: CPU seconds of each step, the steps one after the
other on the whole log. With --floor also the seconds that reading, sorting and writing alone take, nothing
checked or counted, for yandex: with DuckDB, and with Arrow and NumPy.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from converters import OPTIONS, in_own_process, make_dump

from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import read_options
from dataset_converters.common.schema import EVENTS
from dataset_converters.events.chunks import encode_chunk, in_order
from dataset_converters.events.cleaning import clean_events
from dataset_converters.events.memory import MemoryLog
from dataset_converters.output.counts import count_group
from dataset_converters.output.writer import inter_text
from dataset_converters.registry import SOURCES


def stages(source: str, path: Path, out: Path) -> dict[str, float]:
    """Convert step by step, and return the CPU seconds of each."""
    seconds: dict[str, float] = {}

    @contextmanager
    def step(name: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        seconds[name] = round(time.process_time() - begin, 2)

    options = read_options(SOURCES[source].options, OPTIONS.get(source, {}))
    with Ledger() as ledger:
        log = SOURCES[source].open(path, options, ledger)
        with step("read and parse"):
            batches = list(log.batches)
        with step("clean"):
            batches = [clean_events(batch, ledger) for batch in batches]
    with step("number texts"):
        step_size = max(1, len(batches) * 1_000_000 // max(sum(batch.num_rows for batch in batches), 1))
        chunks = [
            encode_chunk(batches[begin : begin + step_size]) for begin in range(0, len(batches), step_size)
        ]
        memory = MemoryLog(chunks)
    with step("group"):
        groups = list(memory.groups(log.newest_first, 250_000))
    with step("sort"):
        groups = [in_order(group) for group in groups]
    with step("count"):
        for group in groups:
            count_group(group)
    with step("make text"):
        users, items = memory.names("user"), memory.names("item")
        texts = []
        for group in groups:
            user, item, *rest = map(pa.array, (group.user, group.item, group.time_us, group.rating))
            columns = [users.take(user), items.take(item), *rest]
            texts.append(inter_text(pa.RecordBatch.from_arrays(columns, EVENTS.names)))
    with step("write"), (out / "x.inter").open("wb") as file:
        for text in texts:
            file.write(text)
    return seconds


def floor_duckdb(path: Path, out: Path) -> None:
    """Read, sort and write with DuckDB."""
    types = {"user": "VARCHAR", "type": "VARCHAR", "item": "VARCHAR", "event": "VARCHAR", "time": "BIGINT"}
    with duckdb.connect(config={"memory_limit": "1GB", "preserve_insertion_order": "false"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(
            f"""
            COPY (SELECT "user", item, time, event
                  FROM read_csv('{path}', delim=',', header=true, quote='', columns={types})
                  ORDER BY "user", time)
            TO '{out / "x.inter"}' (DELIMITER '\t', QUOTE '', HEADER false)
            """  # noqa: S608  # constants of this file
        )


def floor_arrow(path: Path, out: Path) -> None:
    """Read with Arrow, sort with NumPy, write with Arrow; all in memory."""
    parse = pa_csv.ParseOptions(quote_char=False)
    texts = dict.fromkeys(("user", "item", "event"), pa.string())
    convert = pa_csv.ConvertOptions(
        column_types={**texts, "time": pa.int64()}, include_columns=["user", "item", "time", "event"]
    )
    table = pa_csv.read_csv(path, parse_options=parse, convert_options=convert)
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    encoded = {name: columns[name].dictionary_encode() for name in texts}
    user = encoded["user"].indices.to_numpy().astype(np.int64)
    order = pa.array(np.argsort((user << 40) | columns["time"].to_numpy(), kind="stable"))
    columns.update((name, made.dictionary.take(made.indices.take(order))) for name, made in encoded.items())
    columns["time"] = columns["time"].take(order)
    options = pa_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    pa_csv.write_csv(pa.table(columns), out / "x.inter", write_options=options)


FLOORS: dict[str, Callable[[Path, Path], None]] = {"duckdb": floor_duckdb, "arrow": floor_arrow}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--sources", default="yandex,lfm1b,yambda,listenbrainz,table")
    parser.add_argument("--floor", action="store_true")
    arguments = parser.parse_args()
    for source in arguments.sources.split(","):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = in_own_process(make_dump, source, folder, arguments.rows)["result"]
            line: dict[str, Any] = {"source": source}
            line["cpu_seconds"] = in_own_process(stages, source, path, folder)["result"]
            for tool, run in FLOORS.items() if arguments.floor and source == "yandex" else ():
                measured = in_own_process(run, path, folder)
                line[f"floor_{tool}"] = {key: round(measured[key], 1) for key in ("seconds", "cpu_seconds")}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
