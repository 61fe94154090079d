"""What a finished search has to tell."""

from __future__ import annotations

import shlex

from texttable import Texttable  # comes with RecBole

from recbole_popaware.tuning.search import Search

SHOWN_TRIALS = 5


def report_search(search: Search) -> str:
    """Lay out the best trials of a finished search, as words for the command line."""
    config = search.study.config
    measure = config["valid_metric"].lower()
    distinct = {trial.key: trial for trial in search.trials}.values()  # a point may be drawn twice
    ranked = [trial for trial in distinct if trial.score is not None]
    ranked.sort(key=lambda trial: trial.score or 0, reverse=config["valid_metric_bigger"])
    table = Texttable(max_width=0)
    table.set_deco(Texttable.HEADER)
    table.set_cols_dtype(["t", "t", "t"])
    table.set_cols_align(["r", "r", "l"])
    table.add_row([f"{measure}, validation", "test", "properties"])
    for trial in ranked[:SHOWN_TRIALS]:
        words = " ".join(f"--{name}={shlex.quote(str(value))}" for name, value in trial.params.items())
        table.add_row([f"{trial.score:.4f}", f"{(trial.test or {})[measure]:.4f}", words])
    failed = len(distinct) - len(ranked)
    rows = [line.rstrip() for line in table.draw().splitlines()]
    lines = ["", f"{config['model']} on {config['dataset']}", "", *rows, ""]
    lines.append(f"trials: {len(distinct)}" + (f", {failed} of them failed" if failed else ""))
    lines.append(f"all results: {search.study.results.file}")
    lines.append(f"weights of the best one: {ranked[0].checkpoint or 'not kept'}")
    return "\n".join(lines)
