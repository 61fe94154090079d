"""Conversions that are killed, run out of disk, meet each other or may not write: all or nothing."""

from __future__ import annotations

import errno
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from helpers import ROOT

from dataset_converters.__main__ import main
from dataset_converters.output import workspace

Capture = pytest.CaptureFixture
COLUMNS = ("--user", "u", "--item", "i", "--time", "t")


def write_raw(path: Path, user: str, rows: int = 3, bad: bool = False) -> Path:
    """Write plays of one user; ``bad`` adds a line that goes to ``.rejects``."""
    lines = [f"{user},i{row % 1000},{row}\n" for row in range(rows)]
    path.write_text("u,i,t\n" + "".join(lines) + "no row\n" * bad)
    return path


def arguments(raw: Path, out: Path, *more: str) -> list[str]:
    return ["table", str(raw), str(out), "--name", "x", *COLUMNS, *more]


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, and folders as empty entries."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def complaint(capsys: Capture) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture
def pair(tmp_path: Path, capsys: Capture) -> dict:
    """Two raw logs that give different sets of files, and what whole conversions of them give."""
    raws = {
        "old": write_raw(tmp_path / "old.csv", "ann", bad=True),
        "new": write_raw(tmp_path / "new.csv", "bob"),
    }
    whole = {}
    for name, raw in raws.items():
        assert main(arguments(raw, tmp_path / "whole" / name)) == 0
        whole[name] = contents(tmp_path / "whole" / name)
    assert set(whole["old"]) - set(whole["new"]) == {"x/x.rejects"}
    capsys.readouterr()
    return {**raws, "whole": whole, "out": tmp_path / "out"}


def fail_at(patch: pytest.MonkeyPatch, step: int, error: BaseException) -> list[int]:
    """Let the n-th rename raise; return a list that grows by one at each rename."""
    calls: list[int] = []
    rename = Path.replace

    def replace(self: Path, to: Path) -> Path:
        calls.append(1)
        if len(calls) == step:
            raise error
        return rename(self, to)

    patch.setattr(Path, "replace", replace)
    return calls


class KilledError(BaseException):
    """What a kill looks like from inside: nothing catches it."""


def kill_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Let the n-th rename be the end: from then on no file changes, whatever a handler tries."""
    calls: list[int] = []

    def until_then(change: Callable) -> Callable:
        def changed(*arguments: object, **named: object) -> object:
            calls.extend([1] * (change.__name__ == "replace"))
            if len(calls) >= step:
                raise KilledError
            return change(*arguments, **named)

        return changed

    for owner, name in ((Path, "replace"), (Path, "unlink"), (Path, "rmdir"), (shutil, "rmtree")):
        patch.setattr(owner, name, until_then(getattr(owner, name)))


def visible(out: Path) -> dict[str, bytes]:
    """Return what a reader sees: everything that is not hidden."""
    return {name: data for name, data in contents(out).items() if not name.startswith(".")}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("step", range(1, 12))
def test_a_rename_that_fails_is_undone(
    pair: dict, overwrite: bool, step: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    more = ["--overwrite"] if overwrite else []
    if overwrite:
        assert main(arguments(pair["old"], pair["out"])) == 0
        capsys.readouterr()
    with monkeypatch.context() as patch:
        calls = fail_at(patch, step, OSError(errno.EIO, "Input/output error"))
        code = main(arguments(pair["new"], pair["out"], *more))
    if len(calls) < step:
        assert code == 0
        assert contents(pair["out"]) == pair["whole"]["new"]
        return
    assert code == 2
    assert "Input/output error" in complaint(capsys)
    assert contents(pair["out"]) == (pair["whole"]["old"] if overwrite else {})


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("step", range(1, 12))
def test_a_kill_between_renames_leaves_no_data_set_that_looks_whole(
    pair: dict, overwrite: bool, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["--overwrite"] if overwrite else []
    if overwrite:
        assert main(arguments(pair["old"], pair["out"])) == 0
    with monkeypatch.context() as patch, suppress(KilledError):
        kill_at(patch, step)
        main(arguments(pair["new"], pair["out"], *more))
    seen = visible(pair["out"])
    assert "x/x.inter" not in seen or seen in pair["whole"].values()
    assert main(arguments(pair["new"], pair["out"], "--overwrite")) == 0
    assert contents(pair["out"]) == pair["whole"]["new"]


def test_another_data_set_cleans_up_as_well(pair: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, 1)
        with pytest.raises(KilledError):
            main(arguments(pair["old"], pair["out"]))
    assert (pair["out"] / ".x.partial" / "x.inter").exists()
    (pair["out"] / ".mine.partial").mkdir()
    assert main([*arguments(pair["new"], pair["out"]), "--name", "y"]) == 0
    assert sorted(path.name for path in pair["out"].iterdir()) == [".mine.partial", "x", "y"]
    assert list((pair["out"] / "x").iterdir()) == []


def test_work_of_living_processes_is_left_alone(pair: dict, capsys: Capture) -> None:
    with workspace.new_folder(pair["out"], "x", overwrite=False) as folder:
        (folder / "x.inter").write_text("half")
        assert main(arguments(pair["new"], pair["out"], "--overwrite")) == 2
        message = complaint(capsys)
        assert f"another conversion is writing {pair['out'] / 'x'}: wait for it" in message
        assert main([*arguments(pair["new"], pair["out"]), "--name", "y"]) == 0
        assert (folder / "x.inter").read_text() == "half"
    assert (pair["out"] / "x" / "x.inter").read_text() == "half"
    assert sorted(path.name for path in pair["out"].iterdir()) == ["x", "y"]


def test_a_disk_without_locks(pair: dict, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The one who makes the folder has it; what is left over is not taken for dead."""

    def refuse(file: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(workspace, "_flock", refuse)
    monkeypatch.setattr(workspace, "_PAUSE", 0)
    assert main(arguments(pair["new"], pair["out"])) == 0
    assert contents(pair["out"]) == pair["whole"]["new"]
    (pair["out"] / ".x.partial").mkdir()
    (pair["out"] / ".x.partial" / "lock").touch()
    capsys.readouterr()
    assert main(arguments(pair["new"], pair["out"], "--overwrite")) == 2
    assert f"{pair['out'] / '.x.partial'} is in use" in complaint(capsys)


def start(arguments: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "dataset_converters", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_conversions_to_one_target_at_once(tmp_path: Path) -> None:
    raw, out = write_raw(tmp_path / "a.csv", "ann", 300_000), tmp_path / "out"
    both = [start(arguments(raw, out)) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    (message,) = filter(None, errors)
    assert "another conversion is writing" in message or "holds a data set already" in message
    assert message.count("\n") == 1
    assert [path.name for path in out.iterdir()] == ["x"]
    assert len((out / "x" / "x.inter").read_bytes().splitlines()) == 300_001


def test_out_that_cannot_be_a_folder(pair: dict, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / "x" / "x.item").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for out, message in (
        (tmp_path / "file", "is a file; OUT must be a folder"),
        (tmp_path / "link", "is a file; OUT must be a folder"),
        (tmp_path / "file" / "below", "Not a directory"),
        (Path("/proc/nowhere"), "No such file or directory"),
        (Path("/dev/null"), "OUT must be a folder"),
        (tmp_path / "taken", "is a folder, where a file is to go"),
    ):
        assert main(arguments(pair["new"], out)) == 2
        line = complaint(capsys)
        assert message in line
        assert str(out) in line
    assert (tmp_path / "file").read_text() == "mine"
    assert contents(tmp_path / "taken") == {"x": b"", "x/x.item": b""}


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Mount small disks, which takes root; they go when the test ends."""
    mounted: list[Path] = []

    def at(name: str, options: str) -> Path:
        disk = tmp_path / name
        if disk not in mounted:
            disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("this machine mounts no disk for a test")
        mounted.append(disk)
        return disk

    yield at
    for disk in mounted:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("kilobytes", [16, 32, 64, 256])
def test_a_disk_that_is_full(mount: Callable, tmp_path: Path, kilobytes: int, capsys: Capture) -> None:
    out = mount("small", f"size={kilobytes}k")
    small, large = write_raw(tmp_path / "s.csv", "ann"), write_raw(tmp_path / "l.csv", "bob", 30_000)
    before = {}
    if kilobytes >= 32:
        assert main(arguments(small, out)) == 0
        before = contents(out)
        capsys.readouterr()
    for more in ([], ["--users", "1"]):  # in memory, and through a database on that disk
        assert main(arguments(large, out, "--overwrite", *more)) == 2
        line = complaint(capsys)
        assert str(out) in line
        assert any(word in line for word in ("No space left", "not enough", "cannot be written", "Could not"))
        assert contents(out) == before


def test_a_disk_that_is_read_only(mount: Callable, pair: dict, capsys: Capture) -> None:
    out = mount("disk", "size=1m")
    assert main(arguments(pair["old"], out)) == 0
    capsys.readouterr()
    subprocess.run(["mount", "-o", "remount,ro", str(out)], check=True)
    for more in ([], ["--overwrite"], ["--name", "y"]):
        assert main(arguments(pair["new"], out, *more)) == 2
        line = complaint(capsys)
        assert "Read-only file system" in line
        assert str(out) in line
    assert contents(out) == pair["whole"]["old"]


@pytest.mark.parametrize("name", ["x.inter", "x.item", "x.yaml", "x.stats.json", "x.rejects"])
def test_a_write_that_fails_names_the_file(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Wherever the disk becomes full, on machines that mount none for a test as well."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this machine has no /dev/full")
    raw = tmp_path / "LFM-1b_LEs.txt"
    raw.write_text("u\ta\tb\tt\t5\nno row\n")
    opened = Path.open

    def open_full(path: Path, *arguments: object, **named: object) -> object:
        return opened(full if path.name == name else path, *arguments, **named)

    monkeypatch.setattr(Path, "open", open_full)
    assert main(["lfm1b", str(raw), str(tmp_path / "out"), "--name", "x"]) == 2
    assert f"{name} cannot be written: No space left on device" in complaint(capsys)
    assert contents(tmp_path / "out") == {}


@pytest.mark.slow
@pytest.mark.parametrize("overwrite", [False, True])
def test_kills_at_any_moment(tmp_path: Path, overwrite: bool) -> None:
    """Afterwards there is the old data set, the new one or none, and the next start puts it right."""
    old, new = (
        write_raw(tmp_path / "old.csv", "ann", 1000, bad=True),
        write_raw(tmp_path / "new.csv", "bob", 400_000),
    )
    out, whole = tmp_path / "out", {}
    for raw in (old, new):
        assert main(arguments(raw, tmp_path / raw.stem)) == 0
        whole[raw.stem] = contents(tmp_path / raw.stem)
    more = ["--users", "5", "--overwrite"] if overwrite else []
    begin = time.perf_counter()
    assert start(arguments(new, tmp_path / "timed", *more)).wait(120) == 0
    longest = 1.1 * (time.perf_counter() - begin)
    rng, kinds = random.Random(1), set()
    for _ in range(25):
        shutil.rmtree(out, ignore_errors=True)
        if overwrite:
            assert main(arguments(old, out)) == 0
        process = start(arguments(new, out, *more))
        time.sleep(rng.uniform(0, longest))
        process.kill()
        process.communicate(timeout=60)
        seen = visible(out) if out.exists() else {}
        inter = seen.get("x/x.inter")
        kind = next((kind for kind in whole if seen.get("x/x.inter") == whole[kind]["x/x.inter"]), None)
        assert (kind is None) == (inter is None)
        if kind == "old":
            assert seen == whole["old"]
        if kind == "new":  # --users is noted in the statistics
            assert set(seen) == set(whole["new"])
        kinds.add(kind)
        assert main(arguments(new, out, "--overwrite")) == 0
        assert contents(out) == whole["new"]
    assert len(kinds) > 1, "no kill came before the end, or all did"


@pytest.mark.slow
def test_eight_at_once(tmp_path: Path) -> None:
    """Four names, each twice, in a folder with remains of killed conversions."""
    raw, out = write_raw(tmp_path / "a.csv", "ann", 200_000), tmp_path / "out"
    for name in "abcd":
        killed = out / f".{name}.partial"
        killed.mkdir(parents=True)
        (killed / "lock").touch()
        (killed / f"{name}.inter").write_bytes(b"x" * 1_000_000)
    processes = [start([*arguments(raw, out), "--name", name]) for name in "abcd" * 2]
    codes = [process.wait(300) for process in processes]
    assert sorted(codes) == [0] * 4 + [2] * 4
    assert sorted(path.name for path in out.iterdir()) == list("abcd")
    for name in "abcd":
        statistics = json.loads((out / name / f"{name}.stats.json").read_text())
        assert statistics["rows"]["written"] == 200_000
