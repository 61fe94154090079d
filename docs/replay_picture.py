"""Draw docs/replay.png: what each term of the replay model makes of a listener's history."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

SESSIONS = ("DAB", "DABC", "CEC", "FA")  # one listener's plays, oldest first
PAUSE, NOW = 1.1, 17.6
LINE, BELOW = 4.0, 0.0  # heights of the history and of the items that get scores
COUNT, RECORD, ORDER, SPREAD, NEW = "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#7A7A7A"
TERMS = {  # item: where it gets its score, colour, and what the term asks
    "D": (1.2, RECORD, "record", "how often, how regular,\nhow long ago?"),
    "B": (5.2, ORDER, "order", "what followed earlier\nplays of A?"),
    "C": (9.2, COUNT, "count", "its plays, which\nfade with age"),
    "G": (14.2, SPREAD, "new", "what goes together\nwith the history?"),
    "H": (18.2, NEW, "new", "is a new item\nlikely at all?"),
}


def main() -> None:
    """Draw the history, the items below it, and arrows from plays to what they score."""
    figure = Figure(figsize=(9, 4.3))
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    axes.set_xlim(-1.2, 20.4)
    axes.set_ylim(-3.0, 6.8)
    axes.axis("off")
    plays = _plays()
    _draw_time_line(axes, plays)
    _draw_items(axes)
    at = {letter: [x for other, x in plays if other == letter] for letter in "ABCDEF"}
    for age, x in enumerate(reversed(at["C"])):
        _arrow(axes, (x, LINE - 0.45), (TERMS["C"][0], BELOW + 0.55), COUNT, width=2.4 - 0.8 * age)
    _draw_record(axes, at["D"])
    _draw_order(axes, at["A"], at["B"])
    for x in (*at["F"], at["A"][-1]):
        _arrow(axes, (x, LINE - 0.45), (TERMS["G"][0], BELOW + 0.55), SPREAD)
    _arrow(axes, (NOW, LINE - 0.8), (TERMS["H"][0], BELOW + 0.55), NEW)
    axes.text(NOW, LINE - 1.6, "habits, and time\nsince the last play", fontsize=8, ha="right", va="top")
    figure.savefig(Path(__file__).parent / "replay.png", dpi=150)


def _plays() -> list[tuple[str, float]]:
    """Item and time of each play."""
    plays, x = [], 0.0
    for session in SESSIONS:
        for letter in session:
            plays.append((letter, x))
            x += 1.0
        x += PAUSE
    return plays


def _draw_time_line(axes: Axes, plays: list[tuple[str, float]]) -> None:
    axes.annotate("", (20.2, LINE), (-1, LINE), arrowprops={"arrowstyle": "->", "color": "#9A9A9A"})
    axes.text(20.2, LINE - 0.35, "time", ha="right", va="top", fontsize=8, color="#6A6A6A")
    for letter, x in plays:
        _item(axes, letter, x, LINE, TERMS[letter][1] if letter in TERMS else "#6A6A6A")
    axes.plot([NOW, NOW], [LINE - 0.8, LINE + 0.9], color="black", linestyle="--", linewidth=1)
    axes.text(NOW, LINE + 1.0, "now: the moment\nof the list", ha="center", va="bottom", fontsize=8)


def _draw_items(axes: Axes) -> None:
    for letter, (x, colour, term, question) in TERMS.items():
        _item(axes, letter, x, BELOW, colour, filled=term != "new")
        axes.text(x, BELOW - 0.6, term, ha="center", va="top", fontsize=9, color=colour, weight="bold")
        axes.text(x, BELOW - 1.1, question, ha="center", va="top", fontsize=8)
    axes.plot([11.7, 11.7], [BELOW - 2.9, BELOW + 0.9], color="#BDBDBD", linewidth=1)
    for x, text in ((5.2, "items played before"), (16.2, "items never played")):
        axes.text(x, BELOW - 2.35, text, ha="center", va="top", fontsize=9, color="#6A6A6A")


def _draw_record(axes: Axes, plays: list[float]) -> None:
    for start, end, height, text in ((plays[0], plays[1], 0.85, "gap"), (plays[1], NOW, 2.25, "age")):
        line = {"arrowstyle": "<->", "color": RECORD, "linewidth": 1.2}
        axes.annotate("", (end, LINE + height), (start, LINE + height), arrowprops=line)
        label = {"ha": "center", "va": "bottom", "fontsize": 8, "color": RECORD}
        axes.text((start + end) / 2, LINE + height + 0.05, text, **label)
    for x in plays:
        _arrow(axes, (x, LINE - 0.45), (TERMS["D"][0], BELOW + 0.55), RECORD)


def _draw_order(axes: Axes, matched: list[float], followed: list[float]) -> None:
    newest = matched[-1]
    for match, after in zip(matched, followed):
        line = {"arrowstyle": "->", "color": ORDER, "linestyle": ":", "connectionstyle": "arc3,rad=0.2"}
        axes.annotate("", (match + 0.1, LINE + 0.42), (newest, LINE + 0.42), arrowprops=line)
        _arrow(axes, (after, LINE - 0.45), (TERMS["B"][0], BELOW + 0.55), ORDER)
        _arrow(axes, (match + 0.35, LINE - 0.2), (after - 0.35, LINE - 0.2), ORDER)


def _item(axes: Axes, letter: str, x: float, y: float, colour: str, filled: bool = True) -> None:
    face = colour if filled else "white"
    axes.scatter(x, y, s=240, facecolor=face, edgecolor=colour, linewidth=1.8, zorder=3)
    ink = "white" if filled else colour
    axes.text(x, y - 0.02, letter, ha="center", va="center", fontsize=9, color=ink, weight="bold", zorder=4)


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, width: float = 1.4
) -> None:
    line = {"arrowstyle": "->", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=line)


if __name__ == "__main__":
    main()
