"""Charts of the gain of each variant over its base, which may be negative, in five groups of users."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recbole_popaware.experiments.report import style
from recbole_popaware.experiments.report.groups import GroupGain, gains_by_group
from recbole_popaware.experiments.report.results import Results
from recbole_popaware.experiments.report.style import INK, Look


def gain_by_repeats(results: Results) -> Figure | None:
    """Gain of each variant by how repetitive the user's history is."""
    return _gains(
        results, "repeat_share", "repeat share of the user's history (five groups of users)", "{:.0%}"
    )


def gain_by_length(results: Results) -> Figure | None:
    """Gain of each variant by how long the user's history is."""
    return _gains(results, "history_plays", "plays in the user's history (five groups of users)", "{:,.0f}")


def _gains(results: Results, by: str, label: str, form: str) -> Figure | None:
    pairs, measure = results.pairs(), results.protocol.main
    if not pairs or not results.has(measure) or len(results.users) < 5:
        return None
    drawn, [axes] = style.figure(8.5, 4)
    of_user, looks = results.users.set_index("user")[by], style.looks(results)
    step = min(0.16, 0.8 / len(pairs))  # the groups are 1 apart
    for n, (base, variant) in enumerate(pairs):
        gains = (variant.per_user[measure] - base.per_user[measure]).dropna()
        groups = gains_by_group(of_user.reindex(gains.index).to_numpy(dtype=float), gains.to_numpy())
        shift = (n - (len(pairs) - 1) / 2) * step
        _whiskers(axes, groups, shift, looks[variant.name], f"{base.name} → {variant.name}")
        labels = [f"{form.format(g.least)} to {form.format(g.most)}\n{g.users} users" for g in groups]
    axes.set_xticks(range(len(labels)), labels)
    axes.axhline(0, color=INK, linewidth=1)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel(label)
    axes.set_ylabel(f"difference in {measure}")
    style.legend(drawn)
    return drawn


def _whiskers(axes: Axes, groups: Sequence[GroupGain], shift: float, look: Look, name: str) -> None:
    means = np.array([group.mean for group in groups])
    reach = np.array([[group.mean - group.low, group.high - group.mean] for group in groups]).T
    positions = np.arange(len(groups)) + shift
    axes.errorbar(positions, means, reach, fmt=look.marker, color=look.colour, capsize=3, ms=7, label=name)
