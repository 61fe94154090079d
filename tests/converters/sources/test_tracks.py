from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dataset_converters.sources.tracks import Tracks

NUMBERS = st.integers(-3, 40) | st.integers(-(2**63), 2**63 - 1)


@given(
    listed=st.lists(st.integers(0, 20), max_size=30) | st.lists(NUMBERS, max_size=30),
    asked=st.lists(st.none() | NUMBERS, max_size=30),
)
def test_ids_are_those_of_the_first_row_of_an_index(listed, asked):
    tracks = Tracks(
        pa.array(listed, pa.int64()), pa.array([f"t{row}" for row in range(len(listed))]), pa.table({})
    )
    expected = [f"t{listed.index(index)}" if index in listed else None for index in asked]
    assert tracks.ids_of(pa.array(asked, pa.int64())).to_pylist() == expected
