"""Names in a column, each joined to its line, as lines that hide each other need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recbole_popaware.experiments.report.style import INK

_SIZE, _GAP = 9, 12.5  # of letters, and between two lines of text, in points
_COLUMN = 1.05  # left end of the column, as a share of the axes' width

Array = np.ndarray


@dataclass(frozen=True)
class Label:
    """A name for the end of a line.

    Attributes:
        x: The line's end, in data coordinates.
        y: The same.
        text: The name.
        colour: Colour of the line.
    """

    x: float
    y: float
    text: str
    colour: str


def label_ends(figure: Figure, axes: Axes, labels: Sequence[Label]) -> None:
    """Write names in a column right of the axes, in the order of the lines' ends, each joined to its end.

    The limits of the axes must not change afterwards.
    """
    if not labels:
        return
    figure.draw_without_rendering()  # fixes the height of the axes
    ends = axes.transData.transform([(label.x, label.y) for label in labels])[:, 1]
    heights = spread(ends, _GAP * figure.dpi / 72, axes.bbox.y0, axes.bbox.y1)
    for label, height in zip(labels, (heights - axes.bbox.y0) / axes.bbox.height):
        axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=(_COLUMN, height),
            textcoords="axes fraction",
            va="center",
            fontsize=_SIZE,
            color=INK,
            annotation_clip=False,
            arrowprops={
                **{"arrowstyle": "-", "color": label.colour, "linewidth": 0.9},
                **{"shrinkA": 1, "shrinkB": 3, "relpos": (0.0, 0.5)},
            },
        )


def spread(wanted: Array, gap: float, low: float, high: float) -> Array:
    """Move positions apart as little as possible (least squares), in the same order.

    Args:
        wanted: ``[N]`` positions.
        gap: The least distance of neighbours afterwards.
        low: Least position.
        high: Greatest position, unless there is too little room.
    """
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    blocks: list[tuple[float, int]] = []  # mean and size of runs of neighbours that touch, ascending
    for position in wanted[order] - steps:
        mean, size = float(position), 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), size + count
        blocks.append((mean, size))
    means = np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])
    moved = np.empty(len(wanted))
    moved[order] = np.maximum(low, np.minimum(means, high - steps[-1])) + steps
    return moved
