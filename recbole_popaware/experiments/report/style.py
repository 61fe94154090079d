"""How the plots look: colours that colour-blind people tell apart, and one look for all axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recbole_popaware.experiments.report.results import Results, SystemResult

# Okabe and Ito's palette, its yellow left out (too pale for lines); a family of systems shares a colour.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
NEUTRAL = ("#9A9A9A", "#4D4D4D", "#757575")
MARKERS = ("o", "s", "^", "D", "v", "P")
DPI = 150
INK, GRID = "#2b2b2b", "#e3e3e3"


@dataclass(frozen=True)
class Look:
    """How a system is drawn: plain systems pale, dashed and hollow; improved ones full."""

    colour: str
    marker: str
    plain: bool

    @property
    def fill(self) -> str:
        """Colour of areas: white for plain systems."""
        return "white" if self.plain else self.colour

    @property
    def line(self) -> str:
        """Line style."""
        return "--" if self.plain else "-"

    def points(self, **other: Any) -> dict[str, Any]:
        """Arguments for lines with points."""
        edge = {"markeredgecolor": self.colour, "markeredgewidth": 1.6, "markerfacecolor": self.fill}
        line = {"color": self.colour, "linestyle": self.line, "linewidth": 1.8, "marker": self.marker}
        return {**line, **edge, **other}


def looks(results: Results) -> dict[str, Look]:
    """The look of each system: a base and the systems that improve on it share colour and marker."""
    bases = [base.system.name for base, _ in results.pairs()]
    families = list(dict.fromkeys(bases))
    found, alone = {}, 0
    for system in (result.system for result in results.systems):
        family = system.base if system.base in families else system.name
        if family in families:
            place = families.index(family)
            colour = PALETTE[place % len(PALETTE)]
            found[system.name] = Look(colour, MARKERS[place % len(MARKERS)], system.name == family)
        else:
            found[system.name] = Look(NEUTRAL[alone % len(NEUTRAL)], "Xdph*"[alone % 5], False)
            alone += 1
    return found


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure, in inches, with our look."""
    drawn = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    axes = drawn.add_subplot()
    dress(axes)
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


def legend(axes: Axes, columns: int = 1) -> None:
    """A legend to the right of the axes, out of the data's way."""
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9, ncols=columns, handlelength=3
    )


def order(results: Results) -> list[SystemResult]:
    """Systems as bars read from top to bottom."""
    return list(results.systems)[::-1]
