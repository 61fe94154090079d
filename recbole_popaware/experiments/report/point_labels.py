"""Names beside the points of a map, none over another name or over a point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recbole_popaware.experiments.report.labels import Label
from recbole_popaware.experiments.report.style import INK

_SIZE, _POINT = 9, 6  # of letters, and radius of a point with some air, in points
_STEP = 5  # between two distances that are tried, in points
_DIRECTIONS = np.radians([0, 180, 90, 270, 45, 315, 135, 225])

Box = np.ndarray  # left, bottom, right, top in pixels


def label_points(figure: Figure, axes: Axes, labels: Sequence[Label]) -> None:
    """Write each name as near to its point as there is room, joined to it by a line where it is further away.

    The limits of the axes must not change afterwards.
    """
    figure.draw_without_rendering()  # fixes where the axes are
    points = [axes.transData.transform((label.x, label.y)) for label in labels]
    pixel = figure.dpi / 72
    radius = _POINT * pixel
    taken = [np.concatenate([point - radius, point + radius]) for point in points]
    inside = np.array([axes.bbox.x0, axes.bbox.y0, axes.bbox.x1, axes.bbox.y1])
    for label, point in zip(labels, points):
        text = axes.annotate(
            label.text,
            tuple(point),
            xycoords="figure pixels",
            ha="center",
            va="center",
            fontsize=_SIZE,
            color=INK,
        )
        text.set_in_layout(False)
        extent = text.get_window_extent()
        size = np.array([extent.width, extent.height])
        n_steps = int(np.hypot(*(inside[2:] - inside[:2])) / (_STEP * pixel))
        boxes = _boxes_around(point, size, radius, _STEP * pixel, n_steps)
        free = (box for box in boxes if _is_within(box, inside) and not any(_overlap(box, o) for o in taken))
        box = next(free, np.concatenate([point - size / 2, point + size / 2]))
        text.set_position(tuple((box[:2] + box[2:]) / 2))
        taken.append(box)
        _join(axes, point, box, label.colour, radius)


def _boxes_around(point: Box, size: Box, radius: float, step: float, n_steps: int) -> Iterator[Box]:
    """Boxes of a size around a point, the nearest first."""
    for distance in radius + step * np.arange(n_steps):
        for direction in _DIRECTIONS:
            towards = np.array([np.cos(direction), np.sin(direction)])
            centre = point + towards * (distance + size / 2)
            yield np.concatenate([centre - size / 2, centre + size / 2])


def _is_within(box: Box, outer: Box) -> bool:
    return bool((box[:2] >= outer[:2]).all() and (box[2:] <= outer[2:]).all())


def _overlap(one: Box, other: Box) -> bool:
    return bool((one[:2] < other[2:]).all() and (other[:2] < one[2:]).all())


def _join(axes: Axes, point: Box, box: Box, colour: str, radius: float) -> None:
    """Draw a line from a point to its name's box, unless they are neighbours."""
    end = np.clip(point, box[:2], box[2:])
    if np.hypot(*(end - point)) > 2 * radius:
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 4}
        axes.annotate(
            "",
            tuple(point),
            tuple(end),
            xycoords="figure pixels",
            textcoords="figure pixels",
            arrowprops=line,
        ).set_in_layout(False)
