from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from helpers import ROOT, looping_plays

EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def cells(notebook, kind):
    content = json.loads(notebook.read_text())
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def run(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.name)
def test_notebooks_are_plain_python_without_outputs(notebook):
    for cell in cells(notebook, "code"):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
        compile("".join(cell["source"]), notebook.name, "exec")


@pytest.mark.slow
def test_the_script_recommends_from_a_log(tmp_path):
    rows = ["user,item,time", *(",".join(map(str, play)) for play in looping_plays())]
    (tmp_path / "plays.csv").write_text("\n".join(rows) + "\n")
    done = run(tmp_path, EXAMPLES / "train_and_recommend.py", "plays.csv")
    assert done.returncode == 0, done.stderr
    assert "popularity_score" in done.stdout
    assert len(list((tmp_path / "saved").glob("PopSASRec-*.pth"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.name)
def test_notebooks_run(notebook, tmp_path):
    code = ["".join(cell["source"]) for cell in cells(notebook, "code")]
    check = "print(len(results), lists['rank'].max(), len(axes.lines))"
    (tmp_path / "notebook.py").write_text("\n\n".join([*code, check]))
    done = run(tmp_path, "notebook.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "3 10 3"
