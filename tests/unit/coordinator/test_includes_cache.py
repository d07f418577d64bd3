"""What files ask for survives a restart; a damaged cache counts as none."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from coordinator.includes import DirectiveCache
from coordinator.includes import cache as module
from tests.fakes.tree import MemoryFiles, scanner

FILES = {"m.c": '#include "a.h"\n#include H', "a.h": '#define H "b.h"', "b.h": "int b;"}
ALL = frozenset(FILES)


def test_what_is_known_survives_a_restart(tmp_path: Path) -> None:
    first = DirectiveCache.load(tmp_path / "includes.msgpack")
    scanner(FILES, memory=first).scan("cc -c m.c")
    assert first.save() == ""

    second = DirectiveCache.load(tmp_path / "includes.msgpack")

    files = MemoryFiles(FILES)
    assert all(second.get(files.digest(path)) is not None for path in FILES)
    assert scanner(FILES, memory=second).scan("cc -c m.c").paths == ALL


def test_nothing_new_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "includes.msgpack"
    first = DirectiveCache.load(path)
    scanner(FILES, memory=first).scan("cc -c m.c")
    first.save()
    path.write_bytes(path.read_bytes())
    before = path.stat()

    again = DirectiveCache.load(path)
    scanner(FILES, memory=again).scan("cc -c m.c")
    again.save()

    assert path.stat().st_ino == before.st_ino


def _damaged(whole: bytes) -> dict[str, bytes]:
    stored = msgspec.msgpack.decode(whole)
    return {
        "cut": whole[:-3],
        "empty": b"",
        "text": b"hello",
        "another kind": msgspec.msgpack.encode([1, 2]),
        "another version": msgspec.msgpack.encode({**stored, "schema": "windrow.includes/9"}),
        "wrong inside": msgspec.msgpack.encode({**stored, "entries": {"x": [1]}}),
    }


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "another kind", "another version", "wrong inside"])
def test_a_damaged_cache_counts_as_none(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "includes.msgpack"
    whole = DirectiveCache.load(path)
    scanner(FILES, memory=whole).scan("cc -c m.c")
    whole.save()
    path.write_bytes(_damaged(path.read_bytes())[kind])

    cache = DirectiveCache.load(path)

    assert "scanned again" in cache.warning
    assert scanner(FILES, memory=cache).scan("cc -c m.c").paths == ALL
    assert cache.save() == ""
    assert DirectiveCache.load(path).warning == ""


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = DirectiveCache(tmp_path / "file" / "includes.msgpack")
    scanner(FILES, memory=cache).scan("cc -c m.c")

    assert "will be slow" in cache.save()


def test_what_no_scan_asks_for_goes_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPARE", 0)
    path = tmp_path / "includes.msgpack"
    for number in range(6):
        cache = DirectiveCache.load(path)
        scanner({"m.c": f'#include "a{number}.h"'}, memory=cache).scan("cc -c m.c")
        cache.save()

    last = DirectiveCache.load(path)

    kept = [n for n in range(6) if last.get(MemoryFiles({"m.c": f'#include "a{n}.h"'}).digest("m.c"))]
    assert kept == [4, 5]
