"""Small logs for laws of the replay model: drawn at random or by hand, with what a naive loop needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.replay.moments import Moments

N_USERS = 4  # ids 1 to 3
N_ITEMS = 7  # ids 1 to 6


class Log(NamedTuple):
    """Plays by user and then by time."""

    users: list[int]
    items: list[int]
    times: list[float]

    @property
    def store(self) -> PlayHistory:
        columns = (np.array(column) for column in self)
        return PlayHistory.from_sorted(*columns, n_users=N_USERS, keep_times=True)

    @property
    def columns(self) -> tuple[Tensor, Tensor, Tensor]:
        """Users, items and times of all plays."""
        return torch.tensor(self.users), torch.tensor(self.items), torch.tensor(self.times).double()

    def before(self, user: int, end: int) -> list[int]:
        """Positions of a user's plays before one."""
        return [p for p in range(end) if self.users[p] == user]

    def ends(self) -> list[tuple[int, int]]:
        """User and end of every history with a play."""
        return [(user, position + 1) for position, user in enumerate(self.users)]

    def moments(self, pause: float = 0.0) -> Moments:
        """A moment after every play, some seconds later."""
        users, ends = (torch.tensor(column) for column in zip(*self.ends()))
        return Moments(users, ends, torch.tensor(self.times, dtype=torch.float64)[ends - 1] + pause)


@st.composite
def logs(draw, n_items: int = N_ITEMS, most: int = 30) -> Log:
    """Logs of few users and items, at any times of two weeks."""
    play = st.tuples(st.integers(1, N_USERS - 1), st.integers(0, 1_000_000), st.integers(1, n_items - 1))
    plays = sorted(draw(st.lists(play, min_size=1, max_size=most)), key=lambda play: play[:2])
    users, times, items = (list(column) for column in zip(*plays))
    return Log(users, items, [float(time) for time in times])


def log_of(*histories: str, seconds: float = 60.0) -> Log:
    """Users 1, 2, ... who play letters (``a`` is item 1), one every so many seconds."""
    plays = [
        (user, ord(letter) - ord("a") + 1, seconds * time)
        for user, history in enumerate(histories, 1)
        for time, letter in enumerate(history.replace(" ", ""))
    ]
    return Log(*(list(column) for column in zip(*plays)))
