"""Make any id or name safe in a tab separated file.

RecBole reads its files with pandas' defaults: a field that begins with a quote swallows what
follows, and words such as ``null`` or ``NA`` become missing values. Other readers use no quoting at
all. Percent-encoding the few characters concerned gives files that both read alike, and
``urllib.parse.unquote`` gives the original back.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

# What pandas takes for a missing value by default, and the name RecBole gives to its padding.
_RESERVED = frozenset(
    ["#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"]
) | frozenset(["<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "[PAD]"])
_CONTROL = r'["%\x00-\x1f\x7f-\x9f\u2028\u2029]'
_UNSAFE = re.compile(_CONTROL + r"|^ +| +\Z")
_UNSAFE_IN_LIST = re.compile(_CONTROL + "| ")
# The same for RE2, which spells code points its own way; it only picks candidates.
_CANDIDATE = r'["% \x00-\x1f\x{7f}-\x{9f}\x{2028}\x{2029}]'


def escape_token(text: str, in_list: bool = False) -> str:
    """Percent-encode what has a meaning of its own in a RecBole file.

    Args:
        text: A non-empty id or name.
        in_list: Whether it is part of a space separated list, where its own spaces must go too.

    Returns:
        The token. Different texts give different tokens.
    """
    if text in _RESERVED:
        return _encode(text[0]) + escape_token(text[1:], in_list)
    unsafe = _UNSAFE_IN_LIST if in_list else _UNSAFE
    return unsafe.sub(lambda match: _encode(match[0]), text)


def escape_tokens(texts: pa.Array, in_list: bool = False) -> pa.Array:
    """Percent-encode a whole string column; nulls stay null.

    Args:
        texts: Array of strings.
        in_list: As in ``escape_token``.

    Returns:
        Array of strings of the same length.
    """
    candidates = pc.or_(
        pc.match_substring_regex(texts, _CANDIDATE),
        pc.is_in(texts, value_set=pa.array(sorted(_RESERVED))),
    )
    if not pc.any(candidates).as_py():
        return texts
    distinct = pc.unique(texts.filter(candidates)).to_pylist()
    table = pa.array([escape_token(text, in_list) for text in distinct], pa.string())
    escaped = table.take(pc.index_in(texts, value_set=pa.array(distinct, pa.string())))
    return pc.if_else(pc.fill_null(candidates, False), escaped, texts)


def _encode(characters: str) -> str:
    return "".join(f"%{byte:02X}" for byte in characters.encode("utf-8"))
