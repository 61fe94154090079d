from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.text import Annotation, Text

from recbole_popaware.experiments.report import style
from recbole_popaware.experiments.report.labels import Label, label_ends, spread

WANTED = arrays(np.float64, st.integers(1, 20), elements=st.integers(0, 100).map(float))


@given(WANTED)
def test_neighbours_have_a_gap_and_keep_their_order(wanted):
    moved = spread(wanted, 3.0, 0.0, 100.0)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(moved[order]) >= 3.0 - 1e-9).all()
    assert moved.min() >= 0
    assert moved.max() <= 100


@given(WANTED)
def test_what_has_room_stays(wanted):
    apart = np.unique(wanted)
    assert spread(apart, 1.0, 0.0, 100.0) == pytest.approx(apart)


def test_spreading_by_hand():
    assert spread(np.array([5.0, 5.0]), 2.0, 0.0, 10.0).tolist() == [4.0, 6.0]
    assert spread(np.array([9.5, 1.0, 10.0]), 2.0, 0.0, 10.0).tolist() == [8.0, 1.0, 10.0]
    assert spread(np.array([0.0, 0.0, 0.0]), 2.0, 0.0, 3.0).tolist() == [0.0, 2.0, 4.0]


def test_names_in_a_column_do_not_overlap():
    drawn, [axes] = style.figure(6, 4)
    axes.plot([0, 1], [0, 1])
    names = [Label(1.0, height, f"system {n}", "red") for n, height in enumerate([0.5, 0.5, 0.501, 0.0])]
    label_ends(drawn, axes, names)
    drawn.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in drawn.findobj(Annotation)]  # without the lines
    assert len(boxes) == 4
    assert not any(box.count_overlaps([other for other in boxes if other is not box]) for box in boxes)
    assert all(drawn.bbox.x0 <= box.x0 and box.x1 <= drawn.bbox.x1 for box in boxes)
