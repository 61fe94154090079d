"""The tables of an experiment: their content once, written as Markdown or shown by the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recbole_popaware.experiments.report import headings, training
from recbole_popaware.experiments.report.results import Results, SystemResult, is_accuracy

BEST, SECOND = "best", "second"
LEGEND = (
    "Test part. Best in bold, second underlined; beside them the relative difference from the system's base. "
    "With several seeds: mean ± standard deviation over them."
)


@dataclass(frozen=True)
class Cell:
    """A number as text, with what there is to say about it.

    Attributes:
        text: The number, or a name.
        mark: ``best``, ``second`` or empty.
        gain: Relative difference from the base, such as ``+13.4 %``; or empty.
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
    """A table with a title.

    Attributes:
        title: The title.
        header: Name of each column.
        rows: Cells of each row.
        texts: Names of the columns of text, which are aligned left; all others are numbers.
        note: A sentence or two on how to read it.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    texts: Sequence[str] = ("system",)
    note: str = ""

    def markdown(self) -> str:
        """The table as Markdown, texts left and numbers right."""
        lines = [self.header, ["---" if name in self.texts else "---:" for name in self.header]]
        lines += [[cell.markdown() for cell in row] for row in self.rows]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join(text for text in (f"## {self.title}", self.note, body) if text)


def all_tables(results: Results) -> list[Table]:
    """One table a measure (one for all measures if there is one list length), of training, and of costs."""
    measures, topk = results.protocol.measures, results.protocol.topk
    if len(topk) == 1:
        tables = [_measures(results, f"Measures at {topk[0]}", results.measures())]
    else:
        tables = [_measures(results, measure, results.names(measure)) for measure in measures]
    if any(result.learns and result.first_run["curve"] for result in results.systems):
        tables.append(_training(results))
    return [*tables, _costs(results)]


def as_markdown(results: Results, tables: Sequence[Table]) -> str:
    """The file ``table.md``."""
    parts = [
        f"# {headings.title(results)}",
        f"Systems: {headings.names(results)}.",
        LEGEND,
        training.note(results),
    ]
    return "\n\n".join([*filter(None, parts), *(table.markdown() for table in tables)]) + "\n"


def short_report(results: Results) -> str:
    """What the command prints: the table of the main measure, and which systems were cut short."""
    if not results.systems:
        return "no system has finished"
    main = results.protocol.main
    table = next(table for table in all_tables(results) if main in table.header)
    return "\n\n".join(filter(None, (table.markdown(), training.note(results))))


def relative_gain(base: float, variant: float) -> str:
    """Relative difference in percent, such as ``+13.4 %``; empty if there is nothing to divide by."""
    if not (base > 0 and np.isfinite(variant)):
        return ""
    return f"{100 * (variant / base - 1):+.1f} %"


def _measures(results: Results, heading: str, columns: Sequence[str]) -> Table:
    cells = [_column(results, column) for column in columns]
    rows = [[Cell(result.name), *row] for result, row in zip(results.systems, zip(*cells))]
    published, note = _published(results, columns)
    return Table(heading, ["system", *columns], [*rows, *published], note=note)


def _published(results: Results, columns: Sequence[str]) -> tuple[list[list[Cell]], str]:
    """Rows of results that others have published, and a note on them; nothing if they have none of these."""
    published = results.plan.published
    if published is None:
        return [], ""
    rows = [
        [
            Cell(f"{name} (published)"),
            *(Cell(f"{row[column]:.4f}" if column in row else "-") for column in columns),
        ]
        for name, row in published.rows.items()
        if row.keys() & set(columns)
    ]
    return rows, f"Published: {published.source}; not run here, and not marked." if rows else ""


def _column(results: Results, measure: str) -> list[Cell]:
    means = [round(result.mean(measure), 4) for result in results.systems]
    marks = _marks(means) if is_accuracy(measure) else [""] * len(means)
    cells = []
    for result, mark in zip(results.systems, marks):
        base, gain = results.find(result.system.base), ""
        if base is not None and is_accuracy(measure):
            gain = relative_gain(base.mean(measure), result.mean(measure))
        cells.append(Cell(_number(result, measure), mark, gain))
    return cells


def _marks(values: Sequence[float]) -> list[str]:
    """The mark of each value; equal values share one, and several best ones leave no second."""
    best, second = (sorted({x for x in values if not np.isnan(x)}, reverse=True) + [np.nan] * 2)[:2]
    if list(values).count(best) > 1:
        second = np.nan
    return [BEST if x == best else SECOND if x == second else "" for x in values]


def _number(result: SystemResult, name: str, digits: int = 4) -> str:
    if np.isnan(result.mean(name)):
        return "-"
    spread = f" ± {result.std(name):.{digits}f}" if len(result.runs) > 1 else ""
    return f"{result.mean(name):.{digits}f}{spread}"


def _training(results: Results) -> Table:
    near = f"{training.NEAR:.0%}".replace("%", " %")
    header = [
        *("system", f"best {results.protocol.main}", "best epoch", "epochs", "ended by"),
        *(f"epochs to {near}", f"seconds to {near}"),
    ]
    rows = [_training_row(result) for result in results.systems if result.learns]
    about = (
        f"On the validation part; means over seeds. The last columns: when a system first reached {near} of "
        "its best; seconds count from the start of the run, loading of the data included."
    )
    return Table("Training", header, rows, ("system", "ended by"), about)


def _training_row(result: SystemResult) -> list[Cell]:
    runs = list(result.runs.values())
    best, near = ([point(run) for run in runs] for point in (training.best_point, training.near_point))
    ends = dict.fromkeys("epochs" if training.patience_left(run) else "patience" for run in runs)
    texts = (
        *(result.name, _rounded(training.mean_of(best, "score"), ".4f")),
        *(_rounded(training.mean_of(best, "epoch"), ".3g"), f"{result.of_seeds('epochs').mean():.3g}"),
        " or ".join(ends),
        *(
            _rounded(training.mean_of(near, "epoch"), ".3g"),
            _rounded(training.mean_of(near, "seconds"), ".1f"),
        ),
    )
    return [Cell(text) for text in texts]


def _rounded(number: float, form: str) -> str:
    return "-" if np.isnan(number) else f"{number:{form}}"


def _costs(results: Results) -> Table:
    header = ["system", "seeds", "parameters", "training, s", "s per epoch", "test, s"]
    return Table("Costs", header, [_costs_row(result) for result in results.systems])


def _costs_row(result: SystemResult) -> list[Cell]:
    seconds, epochs = (result.of_seeds(name) for name in ("seconds", "epochs"))
    per_epoch = f"{(seconds / np.maximum(epochs, 1)).mean():.2f}"
    texts = (
        *(result.name, str(len(result.runs)), f"{result.first_run['parameters']:,}"),
        *((_number(result, "seconds", 1), per_epoch) if result.learns else "--"),
        _number(result, "evaluation_seconds", 1),
    )
    return [Cell(text) for text in texts]
