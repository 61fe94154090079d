"""One HTML file with everything a reader needs, pictures too."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recbole_popaware.experiments.report import headings, training
from recbole_popaware.experiments.report.comparisons import (
    EXPLANATION,
    Comparison,
    as_table,
    p_text,
    verdict,
)
from recbole_popaware.experiments.report.plots import Picture
from recbole_popaware.experiments.report.results import Results
from recbole_popaware.experiments.report.tables import LEGEND, Table, relative_gain

_TEMPLATE = "report.html.jinja"


def report_html(
    results: Results,
    facts: Mapping[str, Any],
    tables: Sequence[Table],
    comparisons: Sequence[Comparison],
    pictures: Sequence[Picture],
) -> str:
    """Make the page.

    Args:
        results: The experiment's results.
        facts: When, where and with what it was made.
        tables: Its tables.
        comparisons: The tests.
        pictures: The charts; their files are read into the page.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template(_TEMPLATE).render(
        title=headings.title(results),
        name=results.plan.name,
        heading=f"{headings.how_many(results)} on {results.plan.dataset}",
        names=headings.names(results),
        protocol=headings.protocol(results),
        facts=facts,
        data=_data_facts(results),
        sentences=summary(results, comparisons),
        note=training.note(results),
        failures=results.failures,
        pictures=[(picture, embedded(picture.file)) for picture in pictures],
        legend=LEGEND,
        tables=tables,
        explanation=EXPLANATION,
        tests=[as_table(comparison) for comparison in comparisons],
        settings=_settings(results),
    )


def embedded(file: Path) -> str:
    """A PNG file as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


def summary(results: Results, comparisons: Sequence[Comparison]) -> list[str]:
    """Say the outcome in a few sentences, with what the tests allow to say."""
    measure = results.protocol.main
    best = results.best(measure)
    if best is None:
        return ["No system has finished."]
    sentences = [f"Best by {measure}: {best.name} with {best.mean(measure):.4f}."]
    for comparison in comparisons:
        sentences += [
            f"{comparison.second} against {comparison.first}: {test.first:.4f} → {test.second:.4f}"
            f" ({relative_gain(test.first, test.second) or 'no percentage, as the first is 0'}),"
            f" {verdict(test)} (p {_equals(p_text(test.adjusted))}, adjusted)."
            for test in comparison.tests
            if test.measure == measure
        ]
    return sentences


def _equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def _data_facts(results: Results) -> dict[str, int]:
    """Sizes of the data, which are the same for all systems but for how rows of training are counted."""
    if not results.systems:
        return {}
    sizes: Mapping[str, int] = results.systems[0].first_run["data"]
    return {"users": sizes["users"], "items": sizes["items"], "test rows": sizes["test_rows"]}


def _settings(results: Results) -> str:
    systems = [
        {
            "name": s.name,
            "model": s.model,
            **({"base": s.base} if s.base else {}),
            "settings": dict(s.settings),
        }
        for s in results.plan.systems
    ]
    plan: dict[str, Any] = {"dataset": results.plan.dataset, "settings": dict(results.plan.settings)}
    plan["systems"] = systems
    if results.overrides:
        plan["command line, wins over all"] = dict(results.overrides)
    text: str = yaml.safe_dump(plan, sort_keys=False)
    return text
