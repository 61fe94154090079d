"""Numbers of rows in order or shuffled, without lists of them, for hundreds of millions of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from recbole.data.dataloader import TrainDataLoader, abstract_dataloader
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from torch.utils.data import RandomSampler

from recbole_popaware.distributed import resize_sampler

DRAWN_AT_ONCE = 1 << 22
"""More rows than that are shuffled by a cipher: to permute 20 million takes seconds, and lists 0.7 GB."""

_ROUNDS = 6
_CHUNK = 1 << 16


class Indices:
    """What RecBole's loaders keep as ``list(range(n))``, of which torch asks only for items and the length.

    Args:
        numbers: From 0.
    """

    def __init__(self, numbers: range) -> None:
        self.n = len(numbers)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        return index


class Cipher:
    """An order of 0 to n - 1 of which any part is computed alone, by a Feistel network of keyed hashes.

    Args:
        n: How many numbers, at least 2.
        generator: Draws the keys.
    """

    def __init__(self, n: int, generator: torch.Generator | None) -> None:
        bits = (n - 1).bit_length()
        self._n, self._low = np.uint64(n), np.uint64((bits + 1) // 2)
        self._masks = [np.uint64((1 << half) - 1) for half in ((bits + 1) // 2, max(bits // 2, 1))]
        keys = torch.randint(1 << 62, (_ROUNDS,), generator=generator)
        self._keys = keys.numpy().astype(np.uint64)

    def at(self, positions: np.ndarray) -> np.ndarray:
        """The numbers at some positions of the order."""
        numbers = self._encrypt(positions.astype(np.uint64))
        while len(beyond := np.flatnonzero(numbers >= self._n)):  # the power of two is less than 2 n
            numbers[beyond] = self._encrypt(numbers[beyond])
        return numbers.astype(np.int64)

    def _encrypt(self, numbers: np.ndarray) -> np.ndarray:
        halves = [numbers & self._masks[0], numbers >> self._low]
        for turn, key in enumerate(self._keys):
            one = turn % 2
            halves[one] = halves[one] ^ (_hash(halves[1 - one] + key) & self._masks[one])
        return (halves[1] << self._low) | halves[0]


def _hash(numbers: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(31))


class ChunkedRandomSampler(RandomSampler):
    """Torch's sampler, a chunk at a time; of more than ``DRAWN_AT_ONCE`` rows the order is another one."""

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        if n <= DRAWN_AT_ONCE:
            yield from super().__iter__()
            return
        order = Cipher(n, self.generator)
        for start in range(0, n, _CHUNK):
            yield from order.at(np.arange(start, min(start + _CHUNK, n))).tolist()


class LeanLoader(AbstractDataLoader):
    """A base behind RecBole's loaders; differs from stock in that there is no list of all rows."""

    def __init__(self, config: Any, dataset: Any, sampler: Any, shuffle: bool = False) -> None:
        with patch.object(abstract_dataloader, "list", Indices, create=True):
            super().__init__(config, dataset, sampler, shuffle)
        if type(self.sampler) is RandomSampler:
            indices = object.__getattribute__(self, "dataset")
            self.batch_sampler.sampler = ChunkedRandomSampler(indices, generator=self.generator)

    def _resize(self, n_rows: int) -> None:
        """Serve rows 0 to ``n_rows`` - 1 from now on."""
        object.__getattribute__(self, "dataset").n = n_rows  # torch's sampler asks it for its length
        resize_sampler(self.sampler, n_rows)


class LeanTrainDataLoader(TrainDataLoader, LeanLoader):
    """RecBole's loader of training rows, without a list of all rows."""
