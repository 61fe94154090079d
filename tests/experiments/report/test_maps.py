"""Maps of all systems: every name is there, and none is over another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from recbole_popaware.experiments.plan import Plan, System
from recbole_popaware.experiments.report import maps, style
from recbole_popaware.experiments.report.labels import Label
from recbole_popaware.experiments.report.point_labels import label_points
from recbole_popaware.experiments.report.results import Results, SystemResult
from recbole_popaware.experiments.runs import Protocol

MEASURES = ("NDCG", "RepeatRecall", "ExploreRecall")
PROTOCOL = Protocol(Path("toy.inter"), "corrected", MEASURES, (10,), "NDCG@10", {"split": {"GTS": [1]}})


def results_of(**values):
    """Systems with (seconds, NDCG, recall of known items, of new items); names of variants end in _pop."""
    systems = []
    for name, (seconds, *means) in values.items():
        columns = {f"{measure}@10": mean for measure, mean in zip(MEASURES, means)}
        run = {"parameters": 5 if seconds > 1 else 0, "seconds": seconds, "test_result": columns}
        base = name.removesuffix("_pop") if name.endswith("_pop") else None
        per_user = pd.DataFrame({column: [mean] for column, mean in columns.items()})
        systems.append(SystemResult(System(name, "M", {}, base), {1: run}, per_user))
    plan = Plan("toy", "toy", tuple(result.system for result in systems), {})
    return Results(plan, PROTOCOL, systems, pd.DataFrame(), Path("out"))


MANY = results_of(
    Pop=(0.01, 0.1, 0.2, 0.001),
    Counts=(0.02, 0.3, 0.5, 0.002),
    Decayed=(0.02, 0.3, 0.5, 0.002),
    Net=(100, 0.2, 0.3, 0.02),
    Net_pop=(120, 0.35, 0.5, 0.02),
)


def names_in(drawn):
    drawn.draw_without_rendering()
    return {text.get_text(): text.get_window_extent() for text in drawn.findobj(Text) if text.get_text()}


@pytest.mark.parametrize("draw", [maps.repeat_explore_map, maps.accuracy_by_time])
def test_every_system_is_a_point_with_a_name(draw):
    drawn = draw(MANY)
    (axes,) = drawn.axes
    points = {tuple(np.round(line.get_xydata()[0], 6)) for line in axes.lines if len(line.get_xdata()) == 1}
    expected = {
        maps.repeat_explore_map: {(0.2, 0.001), (0.5, 0.002), (0.3, 0.02), (0.5, 0.02)},
        maps.accuracy_by_time: {(0.1, 0.1), (0.1, 0.3), (100, 0.2), (120, 0.35)},
    }
    assert points == expected[draw]
    assert {result.name for result in MANY.systems} <= names_in(drawn).keys()


def test_a_map_without_its_measures_is_left_out():
    assert maps.accuracy_by_time(results_of(Pop=(0.1, 0.1, 0.1, 0.1))) is None  # nothing to learn
    (net,) = results_of(Net=(9, 0.1, 0.2, 0.3)).systems
    bare = replace(net, per_user=net.per_user.drop(columns="ExploreRecall@10"))
    assert maps.repeat_explore_map(replace(MANY, systems=[bare])) is None


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=14))
def test_names_are_over_no_name_and_no_point(points):
    drawn, [axes] = style.figure(8, 5)
    axes.plot(*zip(*points), "o")
    labels = [Label(x, y, f"a system {n}", "red") for n, (x, y) in enumerate(points)]
    label_points(drawn, axes, labels)
    boxes = [box for name, box in names_in(drawn).items() if name.startswith("a system")]
    assert len(boxes) == len(points)
    for box in boxes:
        assert not box.count_overlaps([other for other in boxes if other is not box])
        assert axes.bbox.x0 <= box.x0 <= box.x1 <= axes.bbox.x1
        for point in axes.transData.transform(points):
            assert not box.contains(*point)
