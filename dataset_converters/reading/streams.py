"""Raw files as streams of bytes, unpacked on the way: plain, .gz, .bz2, .zst, and tar archives of them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.progress import Progress

_CODECS = {".gz": "gzip", ".tgz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".zstd": "zstd"}
_BLOCK = 1 << 22  # small enough for memory to be used again instead of asked for
_LONGEST_LINE = 1 << 24
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class RawFile:
    """A file opened for reading, unpacked if its name says so.

    Args:
        path: The file.
        progress: Updated with how much of the file is read.

    Raises:
        ConversionError: There is no such file; or, while reading, the data is cut off or no
            archive of the kind that its name promises.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        if not is_there(path):
            raise ConversionError(f"{path} is a folder, not a file" if path.is_dir() else f"no file {path}")
        self._path, self._progress = path, progress
        self._size = max(path.stat().st_size, 1)
        self._file = path.open("rb", buffering=0)
        codec = _CODECS.get(path.suffix.lower())
        self._source: Any = pa.CompressedInputStream(self._file, codec) if codec else self._file

    def __enter__(self) -> RawFile:
        return self

    def __exit__(self, *reason: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Return at most ``size`` unpacked bytes, none at the end."""
        try:
            data: bytes = self._source.read(size)
        except OSError as error:
            raise ConversionError(f"{self._path} is cut off or damaged: {error}") from None
        self._progress.done = self._file.tell() / self._size
        return data


def is_there(path: Path) -> bool:
    """Return whether there is such a file; a link is followed.

    Raises:
        ConversionError: It is a link to nothing, which nobody leaves on purpose.
    """
    if path.is_symlink() and not path.exists():
        raise ConversionError(f"{path} is a link to {path.readlink()}, which is not there")
    return path.is_file()


def is_tar(path: Path) -> bool:
    """Return whether the name is that of a tar archive, packed or not."""
    return ".tar" in (suffix.lower() for suffix in path.suffixes[-2:]) or path.suffix.lower() == ".tgz"


def tar_members(path: Path, progress: Progress) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the files of an archive in one pass: base name and contents, to be read before the next.

    Raises:
        ConversionError: The archive is missing, cut off or damaged.
    """
    with RawFile(path, progress) as raw:
        try:
            with tarfile.open(fileobj=raw, mode="r|", bufsize=1 << 20) as archive:  # type: ignore[call-overload]  # typeshed has no such mode for a stream of our own
                for member in archive:
                    contents = archive.extractfile(member) if member.isfile() else None
                    if contents is not None:
                        yield Path(member.name).name, contents
        except tarfile.TarError as error:
            raise ConversionError(f"{path} is cut off or damaged: {error}") from None


def line_blocks(stream: Any, name: str, size: int = _BLOCK) -> Iterator[bytes]:
    """Cut a stream into blocks of whole lines; the last line gets its line end if it lacks one.

    Args:
        stream: Anything with ``read(size)``.
        name: What to call it in a message.
        size: Bytes of a block; it is longer where a line is.

    Yields:
        Bytes that end in a line feed, without the byte-order mark at the beginning.

    Raises:
        ConversionError: The text is UTF-16 or UTF-32, or has no line feeds.
    """
    rest, first = b"", True
    while True:
        block = _read_full(stream, size)
        if first:
            block, first = _checked(block, name), False
        if not block:
            break
        cut = block.rfind(b"\n") + 1
        if not cut and len(rest) + len(block) >= max(size, _LONGEST_LINE):
            raise ConversionError(f"{name} is no text of lines: no line end within {_LONGEST_LINE:,} bytes")
        if cut:
            yield rest + block[:cut]
            rest = b""
        rest += block[cut:]
    if rest:
        yield rest + b"\n"


def _read_full(stream: Any, size: int) -> bytes:
    """Read until ``size`` bytes are there or the stream ends: unpackers give small pieces."""
    parts, missing = [], size
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _checked(block: bytes, name: str) -> bytes:
    """Return the first block of a text without its byte-order mark."""
    if block[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConversionError(f"{name} is UTF-16 or UTF-32 text: save it as UTF-8")
    if b"\r" in block and b"\n" not in block:
        raise ConversionError(f"{name} ends its lines with carriage returns alone: save it with line feeds")
    return block[len(_BYTE_ORDER_MARK) :] if block.startswith(_BYTE_ORDER_MARK) else block
