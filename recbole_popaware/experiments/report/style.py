"""How the charts look: colours that colour-blind people can distinguish, and one look for all axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recbole_popaware.experiments.report.results import Results, SystemResult

# Okabe and Ito's palette, its yellow left out (too pale for lines); a base and its variants share a colour.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
NEUTRAL, NEUTRAL_MARKERS = "#757575", "Xdph*"  # of systems that are neither base nor variant
LINES = ("-", "-.", ":")
DPI = 150
INK, GRID = "#2b2b2b", "#e3e3e3"


@dataclass(frozen=True)
class Look:
    """How a system is drawn.

    Attributes:
        colour: Its colour.
        marker: Shape of its points.
        line: Style of its lines; dashed for a base.
        hollow: Whether bars and points are white inside, as for a base.
    """

    colour: str
    marker: str
    line: str = "-"
    hollow: bool = False

    @property
    def fill(self) -> str:
        """Colour inside bars and points."""
        return "white" if self.hollow else self.colour

    def points(self, **other: Any) -> dict[str, Any]:
        """Arguments for lines with points."""
        edge = {"markeredgecolor": self.colour, "markeredgewidth": 1.6, "markerfacecolor": self.fill}
        line = {"color": self.colour, "linestyle": self.line, "linewidth": 1.8, "marker": self.marker}
        return {**line, **edge, **other}


def looks(results: Results) -> dict[str, Look]:
    """The look of each system by name; a base and its variants share a colour."""
    bases = list(dict.fromkeys(base.name for base, _ in results.pairs()))
    variants: dict[str, int] = dict.fromkeys(bases, 0)  # of each base, so far
    by_name: dict[str, Look] = {}
    for system in (result.system for result in results.systems):
        if system.name in bases:
            family = bases.index(system.name)
            by_name[system.name] = Look(*_of(family), line="--", hollow=True)
        elif system.base in variants:
            family, n = bases.index(system.base), variants[system.base]
            colour, marker = _of(family)[0], MARKERS[(family + n) % len(MARKERS)]
            by_name[system.name] = Look(colour, marker, LINES[n % len(LINES)])
            variants[system.base] += 1
        else:
            alone = sum(look.colour == NEUTRAL for look in by_name.values())
            by_name[system.name] = Look(NEUTRAL, _in_turn(NEUTRAL_MARKERS, alone))
    return by_name


def _of(family: int) -> tuple[str, str]:
    return _in_turn(PALETTE, family), _in_turn(MARKERS, family)


def _in_turn(choices: Sequence[str], n: int) -> str:
    return choices[n % len(choices)]


def figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure, in inches, with empty axes in columns, with our look."""
    drawn = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    axes = [drawn.add_subplot(1, columns, column) for column in range(1, columns + 1)]
    for one in axes:
        dress(one)
    return drawn, axes


def dress(axes: Axes) -> None:
    """Give axes our look: no frame, a light grid behind."""
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.8)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#9a9a9a")
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=INK, size=10)


def legend(drawn: Figure) -> None:
    """A legend under the axes, out of the data's way."""
    drawn.legend(loc="outside lower left", frameon=False, fontsize=9, handlelength=3, ncols=3)


def height(results: Results) -> float:
    """Height of a chart in inches, with room for a column of all systems' names."""
    return max(4.2, 0.18 * len(results.systems) + 1)


def order(results: Results) -> list[SystemResult]:
    """Systems as bars read from top to bottom."""
    return list(results.systems)[::-1]
