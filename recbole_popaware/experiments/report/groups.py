"""Users in five groups of about equal size, and what a system gains in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recbole_popaware.experiments.report.significance import mean_interval

Array = np.ndarray


@dataclass(frozen=True)
class GroupGain:
    """Mean gain among some users.

    Attributes:
        least, most: Smallest and greatest value of the grouping quantity in the group.
        users: Size of the group.
        mean, low, high: Mean gain and the ends of its 95 % t-interval.
    """

    least: float
    most: float
    users: int
    mean: float
    low: float
    high: float


def quantile_groups(values: Array, groups: int = 5) -> Array:
    """Put values into groups of about equal size; equal values share a group.

    Args:
        values: ``[U]`` finite numbers.
        groups: How many groups to aim at; many equal values make fewer.

    Returns:
        ``[U]`` group of each value, from 0 without gaps, ascending with the value.
    """
    ordered = np.sort(values)
    # Equal values go where their middle rank belongs.
    first, last = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    middle = (first + last - 1) / 2
    wanted = np.floor(middle * groups / max(len(values), 1)).astype(np.int64)
    return np.unique(wanted, return_inverse=True)[1].reshape(-1)


def gains_by_group(by: Array, gains: Array, groups: int = 5) -> list[GroupGain]:
    """Mean gain in each group of users.

    Args:
        by: ``[U]`` what users are grouped by.
        gains: ``[U]`` gain of each, ``nan`` where it is undefined; such users are left out.
        groups: How many groups to aim at.
    """
    defined = ~np.isnan(gains) & ~np.isnan(by)
    by, gains = by[defined], gains[defined]
    group_of = quantile_groups(by, groups)
    gains_of = []
    for group in np.unique(group_of):
        inside = group_of == group
        least, most = float(by[inside].min()), float(by[inside].max())
        gains_of.append(GroupGain(least, most, int(inside.sum()), *mean_interval(gains[inside])))
    return gains_of
