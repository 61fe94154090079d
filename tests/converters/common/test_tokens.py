"""Ids survive the way through a tab separated file, whichever way it is read."""

import csv
import io
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_converters.common.tokens import escape_token, escape_tokens

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(
    ["NA", "null", "[PAD]", "nan", "-nan", "#N/A N/A", '"', '""', "a\tb", "a\r\nb", " a ", "%41"]
)


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("plain", "plain"),
        ("Sigur Rós — Hoppípolla", "Sigur Rós — Hoppípolla"),
        ("a\tb", "a%09b"),
        ("a\nb\r", "a%0Ab%0D"),
        ('"Heroes"', "%22Heroes%22"),
        ("100%", "100%25"),
        (" a b ", "%20a b%20"),
        ("NA", "%4EA"),
        ("null", "%6Eull"),
        ("-nan", "%2D%6Ean"),
        ("[PAD]", "%5BPAD]"),
        ("\u2028", "%E2%80%A8"),
    ],
)
def test_known_tokens(text: str, token: str) -> None:
    assert escape_token(text) == token


def test_list_elements_lose_their_spaces() -> None:
    assert escape_token("hip hop", in_list=True) == "hip%20hop"


@given(TEXTS, st.booleans())
def test_unquote_gives_the_original_back(text: str, in_list: bool) -> None:
    assert unquote(escape_token(text, in_list)) == text


@given(st.lists(TEXTS | st.none()), st.booleans())
def test_columns_agree_with_single_texts(texts: list, in_list: bool) -> None:
    expected = [None if text is None else escape_token(text, in_list) for text in texts]
    assert escape_tokens(pa.array(texts, pa.string()), in_list).to_pylist() == expected


@given(st.lists(TEXTS, min_size=1))
def test_readers_with_and_without_quoting_agree(texts: list) -> None:
    tokens = [escape_token(text) for text in texts]
    file = "id:token\tn\n" + "".join(f"{token}\t1\n" for token in tokens)
    stock = pd.read_csv(io.StringIO(file), delimiter="\t", dtype={0: str}, engine="python")
    plain = pd.read_csv(io.StringIO(file), sep="\t", dtype=str, quoting=csv.QUOTE_NONE, keep_default_na=False)
    assert stock["id:token"].tolist() == tokens
    assert plain["id:token"].tolist() == tokens
