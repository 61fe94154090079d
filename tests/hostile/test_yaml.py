"""Files of settings, broken in every way: a result, or one line with the file's name; no object, no flood."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recbole_popaware import properties
from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.experiments.plan import read_plan
from recbole_popaware.safe_yaml import MAX_NODES, read_properties, read_yaml
from recbole_popaware.tuning.space import read_space

MUTATED = settings(
    max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PIECES = (
    *(
        "!!python/name:os.system",
        "!!python/object/apply:os.system ['true']",
        "!!set {a}",
        "!!binary aGk=",
        "!x y",
    ),
    *(
        "&a [*a]",
        "*a",
        "&a",
        "<<: *a",
        "- ",
        ": ",
        "? ",
        "{",
        "[",
        "]",
        "}",
        "'",
        '"',
        "|\n",
        ">\n",
        "%YAML 9.9\n",
    ),
    *(
        "---\n",
        "...\n",
        "\t",
        "\r",
        "\0",
        "\ufeff",
        "\x85",
        "\ud7ff",
        "🎵",
        "1" * 5000,
        "1:" * 300 + "1",
        "!!int x",
    ),
    *(
        "!!float {}",
        "2020-01-01",
        "~: 1\n",
        "1: 2\n",
        "epochs: 1\nepochs: 2\n",
        "[" * 2000,
        "{a: " * 300,
        "x" * 3000,
    ),
    *(
        "choice",
        "uniform",
        "1e999",
        "nan",
        "__import__('os').system('true')",
        "[1,",
        "loguniform 1, 1e5",
        "#",
    ),
)
POSITIONS = st.floats(0, 1)
EDITS = st.lists(
    st.tuples(POSITIONS, st.integers(0, 12), st.sampled_from(PIECES).map(str.encode) | st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)


def mutate(content: bytes, edits) -> bytes:
    """Replace some bytes at some positions."""
    for position, removed, added in edits:
        at = int(position * len(content))
        content = content[:at] + added + content[at + removed :]
    return content


def one_line(error: UsageError, name: str = "") -> None:
    assert name in str(error)
    assert "\n" not in str(error).strip()
    assert len(str(error)) < 1500


def refused_by_name(read, file: Path) -> None:
    """Read a file, which may be refused in one line that names it."""
    try:
        read(file)
    except UsageError as error:
        one_line(error, file.name)


@MUTATED
@given(EDITS)
def test_a_property_file(tmp_path, edits):
    file = tmp_path / "mine.yaml"
    file.write_bytes(mutate((properties.FOLDER / "overall.yaml").read_bytes(), edits))
    refused_by_name(read_properties, file)
    try:
        Config("PopSASRec", config_file_list=[str(file)], argv=())
    except UsageError as error:
        one_line(error)


@MUTATED
@given(EDITS)
def test_the_file_beside_the_data(tmp_path, edits):
    file = tmp_path / "toy" / "toy.yaml"
    file.parent.mkdir(exist_ok=True)
    content = (
        b"epochs: 3\nval_interval: {rating: '[1,3]'}\neval_args: {split: {LS: valid_and_test}, order: TO}\n"
    )
    file.write_bytes(mutate(content, edits))
    try:
        Config("PopSASRec", "toy", config_dict={"data_path": str(tmp_path)}, argv=())
    except UsageError as error:
        one_line(error)


@MUTATED
@given(EDITS)
def test_an_experiment(tmp_path, edits):
    file = tmp_path / "mine.yaml"
    file.write_bytes(mutate((properties.FOLDER / "experiments" / "lastfm-1k.yaml").read_bytes(), edits))
    refused_by_name(read_plan, file)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
)


@MUTATED
@given(
    st.fixed_dictionaries(
        {
            "dataset": TREES,
            "systems": TREES | st.lists(st.fixed_dictionaries({"name": TREES, "model": TREES})),
        },
        optional={"name": TREES, "settings": TREES, "raw": TREES, "more": TREES},
    )
)
def test_an_experiment_of_another_shape(tmp_path, content):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    refused_by_name(read_plan, file)


@MUTATED
@given(EDITS)
def test_a_search_space(tmp_path, edits):
    file = tmp_path / "mine.hyper"
    content = (
        b"# what to tune\nlearning_rate choice [0.001, 0.01]\npps_epsilon loguniform -3, 0\nn uniform 0, 1\n"
    )
    file.write_bytes(mutate(content, edits))

    def read(file: Path) -> None:
        for dimension in read_space(file).dimensions:
            dimension.extremes()

    refused_by_name(read, file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: !!python/name:os.system ''\n", "line 2: the tag [!!python/name:os.system]"),
        ("a: !!python/object/apply:os.system [touch ran]\n", "line 1: the tag"),
        ("a: !mine 1\n", "line 1: the tag [!mine]"),
        ("a: !!set {x}\n", "line 1: the tag [!!set]"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key [a] is there twice"),
        ("a:\n  x: 1\n  x: 2\n", "line 3: the key [x] is there twice"),
        ("1: 2\n", "line 1: the key [1] is no text"),
        ("on: 2\n", "line 1: the key [on] is no text"),
        ("? [a]\n: 1\n", "line 1: the key [a list or table] is no text"),
        ("- a\n- b\n", "holds a list"),
        ("just words\n", "holds [just words]"),
        ("a: &x [*x]\n", "line 1: the alias [*x] is inside of what it refers to"),
        ("a: *x\n", "line 1: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "line 2: but found another document"),
        ("a: [\n", "line 2: "),
        ("a: !!int x\n", "line 1: [x] is no int"),
        (f"a: {'1:' * 300}1\n", "line 1: a number of 601 characters"),
        ("a: " + "[" * 60 + "]" * 60, "line 1: more than 50 levels"),
        ("a: \x07\n", "line 1: the character"),
    ],
)
def test_what_is_no_plain_yaml_is_reported_by_file_and_line(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as mistake:
        read_properties(file)
    assert str(mistake.value).startswith(str(file))
    assert message in str(mistake.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1".encode("utf-16"), "line 1: is not UTF-8"),
        (b"a: 1\nb: \xff\n", "line 2: is not UTF-8"),
        (b"a: " + b"x" * (1 << 20), "more than 1 MB"),
    ],
)
def test_what_is_no_small_text_is_reported(tmp_path, content, message):
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_yaml(tmp_path / "mine.yaml")


def test_what_is_no_file_is_reported(tmp_path):
    for file in (tmp_path, tmp_path / "gone.yaml", Path("/dev/zero"), tmp_path / ("x" * 5000)):
        with pytest.raises(UsageError, match=r"cannot be read|more than 1 MB"):
            read_yaml(file)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\ufeff", "~\n"])
def test_an_empty_file_has_no_properties(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    assert read_properties(tmp_path / "mine.yaml") == {}
    Config("PopSASRec", config_file_list=[str(tmp_path / "mine.yaml")], argv=())


def test_plain_values_are_read_as_recbole_reads_them(tmp_path):
    file = tmp_path / "mine.yaml"
    text = "a: 1e-3\nb: !!str 5\nc: &x [1, 2]\nd: *x\ne: 2020-01-01\nf: {<<: {g: 1}, h: ~}\ni: 1_000\n"
    file.write_text(f"\ufeff{text}", encoding="utf-8")
    assert read_properties(file) == {
        **{"a": 0.001, "b": "5", "c": [1, 2], "d": [1, 2], "e": "2020-01-01"},
        **{"f": {"g": 1, "h": None}, "i": 1000},
    }


def test_aliases_do_not_fill_the_memory(tmp_path):
    laughs = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    merges = ["a0: &a0 {k0: 1}"]
    merges += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    for lines in (laughs, merges):
        (tmp_path / "mine.yaml").write_text("\n".join(lines))
        tracemalloc.start()
        with pytest.raises(UsageError, match=f"more than {MAX_NODES} values"):
            read_yaml(tmp_path / "mine.yaml")
        assert tracemalloc.get_traced_memory()[1] < 50e6
        tracemalloc.stop()


def test_nothing_of_a_file_runs(tmp_path):
    (tmp_path / "mine.yaml").write_text("a: !!python/object/apply:os.system ['touch ran']\n")
    (tmp_path / "mine.hyper").write_text("a choice __import__('os').system('touch ran')\n")
    for read in (
        lambda: read_yaml(tmp_path / "mine.yaml"),
        lambda: read_plan(tmp_path / "mine.yaml"),
        lambda: read_space(tmp_path / "mine.hyper"),
        lambda: Config("PopSASRec", config_file_list=[str(tmp_path / "mine.yaml")], argv=()),
    ):
        with pytest.raises(UsageError, match="mine"):
            read()
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"learning_rate choice [1, 2", "a list such as"),
        (b"learning_rate choice {1, 2}", "a list such as"),
        (b"learning_rate choice " + b"(" * 3000, "a list such as"),
        (b"learning_rate choice [" + b"1," * 60_000 + b"]", "a list such as"),
        (b"learning_rate loguniform 1, 1000", "-700 and 700"),
        (b"learning_rate uniform -1e308, 1e308", "1e+15"),
        (b"learning_rate uniform 0, inf", "2 numbers"),
        (b"learning_rate \xff", "not UTF-8"),
        (b"#" * (1 << 21), "more than 1 MB"),
    ],
)
def test_a_bad_line_of_a_search_space_is_reported(tmp_path, line, message):
    (tmp_path / "mine.hyper").write_bytes(line)
    with pytest.raises(UsageError, match=r"mine\.hyper") as mistake:
        read_space(tmp_path / "mine.hyper")
    assert message in str(mistake.value)
    assert len(str(mistake.value)) < 600
