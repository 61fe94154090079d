"""One HTML file that holds everything a reader needs, pictures too."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recbole_popaware.experiments.report import comparisons as contest_module
from recbole_popaware.experiments.report.comparisons import Contest, p_text
from recbole_popaware.experiments.report.plots import Picture
from recbole_popaware.experiments.report.results import Results
from recbole_popaware.experiments.report.tables import Table, how_many, relative_gain

_TEMPLATE = "report.html.jinja"


def report_html(
    results: Results,
    facts: Mapping[str, Any],
    tables: Sequence[Table],
    contests: Sequence[Contest],
    pictures: Sequence[Picture],
) -> str:
    """Make the report.

    Args:
        results: The experiment's outcome.
        facts: When, where and with what it was made.
        tables: Its tables, the costs last.
        contests: The tests.
        pictures: The plots; their files are read into the page.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template(_TEMPLATE).render(
        plan=results.plan,
        systems=how_many(results),
        facts=facts,
        data=_data_facts(results),
        sentences=summary(results, contests),
        tables=tables,
        contests=[
            (contest, [contest_module.as_cells(c) for c in contest.comparisons]) for contest in contests
        ],
        explanation=contest_module.EXPLANATION,
        pictures=[(picture, embedded(picture.file)) for picture in pictures],
        failures=results.failures,
        settings=_settings(results),
    )


def embedded(file: Path) -> str:
    """A PNG file as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


def summary(results: Results, contests: Sequence[Contest]) -> list[str]:
    """Say the outcome in a few sentences, with what the tests allow to say."""
    measure = results.protocol.main
    best = results.best(measure)
    if best is None:
        return ["No system has finished."]
    told = [f"Best by {measure}: {best.system.name} with {best.mean(measure):.4f}."]
    for contest in contests:
        told += [
            f"{contest.second} against {contest.first}: {c.first:.4f} → {c.second:.4f}"
            f" ({relative_gain(c.first, c.second) or 'no percentage, as the first is 0'}),"
            f" {contest_module.verdict(c)} (p {_equals(p_text(c.adjusted))}, adjusted)."
            for c in contest.comparisons
            if c.measure == measure
        ]
    return told


def _equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def _data_facts(results: Results) -> dict[str, int]:
    """Sizes of the data, which are the same for all systems but for how rows of training are counted."""
    if not results.systems:
        return {}
    runs = results.systems[0].runs
    found: Mapping[str, int] = runs[min(runs)]["data"]
    return {"users": found["users"], "items": found["items"], "test rows": found["test_rows"]}


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
