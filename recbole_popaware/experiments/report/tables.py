"""The tables of an experiment: their content once, written as Markdown or shown by the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recbole_popaware.experiments.report.results import Results, SystemResult, is_accuracy

BEST, SECOND = "best", "second"


@dataclass(frozen=True)
class Cell:
    """A number as text, with what is to be said about it.

    Attributes:
        text: The number, or a name.
        mark: ``best``, ``second`` or empty.
        gain: Improvement over the base, such as ``+13.4 %``; or empty.
    """

    text: str
    mark: str = ""
    gain: str = ""

    def markdown(self) -> str:
        """The best bold, the second underlined."""
        marked = {BEST: f"**{self.text}**", SECOND: f"<u>{self.text}</u>"}.get(self.mark, self.text)
        return f"{marked} ({self.gain})" if self.gain else marked


@dataclass(frozen=True)
class Table:
    """A table with a title; the first column holds names."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def markdown(self) -> str:
        """The table as Markdown, names left and numbers right."""
        lines = [self.header, ["---", *["---:"] * (len(self.header) - 1)]]
        lines += [[cell.markdown() for cell in row] for row in self.rows]
        return "\n".join([f"## {self.title}", "", *(f"| {' | '.join(line)} |" for line in lines)])


def all_tables(results: Results) -> list[Table]:
    """One table a measure (one for all measures if there is one list length), and one of costs."""
    measures, topk = results.protocol.measures, results.protocol.topk
    if len(topk) == 1:
        tables = [_measures(results, f"Measures at {topk[0]}", [f"{m}@{topk[0]}" for m in measures])]
    else:
        tables = [_measures(results, measure, results.names(measure)) for measure in measures]
    return [*tables, _costs(results)]


def as_markdown(results: Results, tables: Sequence[Table]) -> str:
    """All tables with the words that a reader needs."""
    head = [
        f"# {results.plan.name}: {how_many(results)} on {results.plan.dataset}",
        "Test part. Best in bold, second underlined; in brackets what a system gains over its plain version. "
        "With several seeds: mean ± standard deviation over them.",
    ]
    return "\n\n".join([*head, *(table.markdown() for table in tables)]) + "\n"


def how_many(results: Results) -> str:
    """Say how many systems there are, and of how many if some have not finished."""
    planned, finished = len(results.plan.systems), len(results.systems)
    return f"{planned} systems" if planned == finished else f"{finished} of {planned} systems"


def relative_gain(base: float, improved: float) -> str:
    """Improvement in percent, such as ``+13.4 %``; empty if there is nothing to divide by."""
    if not (base > 0 and np.isfinite(improved)):
        return ""
    return f"{100 * (improved / base - 1):+.1f} %"


def _measures(results: Results, title: str, names: Sequence[str]) -> Table:
    columns = [_column(results, name) for name in names]
    rows = [
        [Cell(found.system.name), *(column[place] for column in columns)]
        for place, found in enumerate(results.systems)
    ]
    return Table(title, ["system", *names], rows)


def _column(results: Results, name: str) -> list[Cell]:
    marks = _marks([round(found.mean(name), 4) for found in results.systems]) if is_accuracy(name) else {}
    cells = []
    for place, found in enumerate(results.systems):
        base, gain = results.find(found.system.base), ""
        if base is not None and is_accuracy(name):
            gain = relative_gain(base.mean(name), found.mean(name))
        cells.append(Cell(_number(found, name), marks.get(place, ""), gain))
    return cells


def _marks(values: Sequence[float]) -> dict[int, str]:
    """Places of the best and of the second best; equal values share a mark."""
    ranks = sorted({x for x in values if not np.isnan(x)}, reverse=True)
    best, second = ([place for place, x in enumerate(values) if x in ranks[i : i + 1]] for i in (0, 1))
    if len(best) > 1:
        second = []
    return {**dict.fromkeys(best, BEST), **dict.fromkeys(second, SECOND)}


def _number(found: SystemResult, name: str, digits: int = 4) -> str:
    if np.isnan(found.mean(name)):
        return "-"
    spread = f" ± {found.std(name):.{digits}f}" if len(found.runs) > 1 else ""
    return f"{found.mean(name):.{digits}f}{spread}"


def _costs(results: Results) -> Table:
    header = [
        "system",
        "seeds",
        "parameters",
        "epochs",
        "best epoch",
        "training, s",
        "s per epoch",
        "test, s",
    ]
    return Table("Costs", header, [_cost(found) for found in results.systems])


def _cost(found: SystemResult) -> list[Cell]:
    seeds, runs = str(len(found.runs)), list(found.runs.values())
    parameters, test = f"{runs[0]['parameters']:,}", _number(found, "evaluation_seconds", 1)
    if not runs[0]["parameters"]:
        return [Cell(x) for x in (found.system.name, seeds, parameters, *"----", test)]
    training, epochs = (found.of_seeds(name) for name in ("seconds", "epochs"))
    best = np.array([best_epoch(run["curve"]) for run in runs])
    numbers = (
        *(f"{epochs.mean():.3g}", f"{best.mean():.3g}"),
        *(_number(found, "seconds", 1), f"{(training / np.maximum(epochs, 1)).mean():.2f}", test),
    )
    return [Cell(x) for x in (found.system.name, seeds, parameters, *numbers)]


def best_epoch(curve: Sequence[dict[str, float]]) -> float:
    """The first epoch with the greatest validation score; ``nan`` without validation."""
    best = max(curve, key=lambda point: point["score"] if point["score"] is not None else -1, default=None)
    return best["epoch"] if best else float("nan")
