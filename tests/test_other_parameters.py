"""Arrays and sparse matrices in checkpoints: what is stored can be read without running code, and fits."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import sparse

from recbole_popaware.other_parameters import load_other_parameters, other_parameters, stored

FORMATS = ("csr", "csc", "coo", "lil", "dok")
MATRICES = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2), elements=st.sampled_from([0, 0, 0, 1, 2.5])
)


class Keeping:
    """A model as RecBole's are, that keeps some values beside its weights."""

    def __init__(self, **values):
        self.values = SimpleNamespace(**values)

    def other_parameter(self):
        return vars(self.values)

    def load_other_parameter(self, values):
        vars(self.values).update(values)


def through_a_file(model):
    file = io.BytesIO()
    torch.save(stored(other_parameters(model)), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@given(MATRICES, st.sampled_from(FORMATS), st.booleans())
def test_a_sparse_matrix_comes_back_as_it_was(dense, layout, as_array):
    kind = sparse.csr_array if as_array else sparse.csr_matrix
    matrix = kind(dense).asformat(layout)
    model = Keeping(w=type(matrix)(dense.shape, dtype=np.float32))
    load_other_parameters(model, through_a_file(Keeping(w=matrix)))
    assert type(model.values.w) is type(matrix)
    assert model.values.w.dtype == np.float32
    np.testing.assert_array_equal(model.values.w.toarray(), dense)


@given(MATRICES)
def test_arrays_matrices_tensors_and_nothing_come_back_as_they_were(dense):
    values = {"array": dense, "matrix": np.asmatrix(dense), "tensor": torch.from_numpy(dense), "none": None}
    model = Keeping(**{**values, "array": 0 * dense, "matrix": np.asmatrix(0 * dense)})
    load_other_parameters(model, through_a_file(Keeping(**values)))
    for name in ("array", "matrix"):
        assert type(getattr(model.values, name)) is type(values[name])
        np.testing.assert_array_equal(getattr(model.values, name), dense)
    assert torch.equal(model.values.tensor, values["tensor"])
    assert model.values.none is None


def test_what_training_has_yet_to_make_is_taken_as_it_is():
    model = Keeping(max_cnt=None)  # RecBole's Pop
    load_other_parameters(model, {"max_cnt": torch.tensor([3])})
    assert model.values.max_cnt.tolist() == [3]


def parts(data, indices, indptr):
    return {
        "data": torch.tensor(data),
        "indices": torch.tensor(indices),
        "indptr": torch.tensor(indptr),
    }


@pytest.mark.parametrize(
    "value",
    [
        parts([1.0, 1.0], [0, 3], [0, 1, 2]),  # a column that is not there
        parts([1.0, 1.0], [0, -1], [0, 1, 2]),
        parts([1.0, 1.0], [0, 1], [0, 1, 9]),
        parts([1.0, 1.0], [0, 1], [0, 5, 2]),
        parts([1.0, 1.0], [0, 1], [0, 1, 1, 2]),
        parts([1.0, 1.0], [0.5, 1], [0, 1, 2]),
        {**parts([1.0, 1.0], [0, 1], [0, 1, 2]), "indices": [0, 1]},
        torch.ones(2, 3),
        "text",
    ],
)
def test_a_matrix_that_cannot_be_one_is_refused(value):
    model = Keeping(w=sparse.csr_matrix((2, 3), dtype=np.float32))
    with pytest.raises(ValueError, match=r".+"):
        load_other_parameters(model, {"w": value})
    assert model.values.w.nnz == 0


def test_values_of_another_shape_or_name_are_refused():
    model = Keeping(b=np.zeros((2, 2), dtype=np.float32))
    with pytest.raises(ValueError, match=r"\[b\] is no tensor of shape \(2, 2\)"):
        load_other_parameters(model, {"b": torch.zeros(2, 3)})
    with pytest.raises(ValueError, match=r"the model has no \[c\]"):
        load_other_parameters(model, {"c": torch.zeros(2)})
