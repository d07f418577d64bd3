from __future__ import annotations

import os
from pathlib import Path

import pytest

from coordinator.importers.ninja import compiled
from coordinator.importers.ninja.compiled import load
from coordinator.importers.ninja.manifest import Manifest

TEXT = "x = 1\ninclude rules\nbuild a$ b: cc c | d || e |@ f\n  x = $$2\nbuild g: cc\ndefault g\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "rules").write_text("rule cc\n  command = cc $in $x > $out\n")
    path = tmp_path / "build.ninja"
    path.write_text(TEXT)
    _age(tmp_path)
    return path


def _age(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_file():
            os.utime(path, (1_000_000_000, 1_000_000_000))


def _said(manifest: Manifest) -> list[tuple[object, str]]:
    return [(edge, manifest.command(edge)) for edge in manifest.edges]


def _refuse_to_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(*_: object, **__: object) -> Manifest:
        raise AssertionError("parsed again")

    monkeypatch.setattr(compiled, "_parsed", parsed)


def test_a_manifest_comes_back_as_it_was(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(project, tmp_path / "cache/ninja")
    _refuse_to_parse(monkeypatch)

    again = load(project, tmp_path / "cache/ninja")

    assert _said(again) == _said(first)
    assert again.statements() == first.statements()
    assert again.defaults == ("g",)


@pytest.mark.parametrize("name", ["build.ninja", "rules"])
def test_a_changed_file_is_read_again(project: Path, tmp_path: Path, name: str) -> None:
    load(project, tmp_path / "cache/ninja")
    place = tmp_path / name
    place.write_text(place.read_text().replace("cc", "dd"))  # as long, and perhaps in the same tick
    other = tmp_path / ("rules" if name == "build.ninja" else "build.ninja")
    other.write_text(other.read_text().replace("cc", "dd"))

    assert load(project, tmp_path / "cache/ninja").edges[1].rule == "dd"


def test_a_change_that_leaves_size_and_times_is_seen_by_its_ctime_or_bytes(project: Path, tmp_path: Path) -> None:
    load(project, tmp_path / "cache/ninja")
    before = project.stat()
    project.write_text(TEXT.replace("build g", "build h").replace("default g", "default h"))
    os.utime(project, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert load(project, tmp_path / "cache/ninja").defaults == ("h",)


def test_a_touched_file_is_not_parsed_again(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(project, tmp_path / "cache/ninja")
    os.utime(project, (1_000_000_001, 1_000_000_001))
    _refuse_to_parse(monkeypatch)

    assert load(project, tmp_path / "cache/ninja").defaults == ("g",)


def test_a_file_that_went_away_is_an_error_as_without_a_cache(project: Path, tmp_path: Path) -> None:
    load(project, tmp_path / "cache/ninja")
    (tmp_path / "rules").unlink()

    with pytest.raises(Exception, match="loading 'rules'"):
        load(project, tmp_path / "cache/ninja")


def test_any_damage_is_one_parse(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache/ninja"
    whole = _said(load(project, cache))
    data = cache.read_bytes()

    for end in range(0, len(data), 23):
        cache.write_bytes(data[:end])
        assert _said(load(project, cache)) == whole
    for place in range(0, len(data), 17):
        cache.write_bytes(data[:place] + b"\xc1" + data[place + 1 :])
        assert load(project, cache).files == ("build.ninja", "rules")


def test_an_older_cache_and_that_of_another_file_are_none(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache/ninja"
    load(project, cache)
    cache.write_bytes(cache.read_bytes().replace(b"windrow.ninja/1", b"windrow.ninja/0"))
    other = tmp_path / "other.ninja"
    other.write_text("build z: phony\n")

    assert load(project, cache).defaults == ("g",)
    assert load(other, cache).edges[0].outputs == ("z",)
    assert load(project, cache).defaults == ("g",)


def test_nothing_is_written_when_that_is_not_wanted_or_not_possible(project: Path, tmp_path: Path) -> None:
    load(project, tmp_path / "cache/ninja", write=False)
    (tmp_path / "file").touch()

    assert load(project, tmp_path / "file/ninja").defaults == ("g",)
    assert not (tmp_path / "cache").exists()


def test_text_that_is_no_utf_8_is_read_without_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "build.ninja"
    path.write_bytes(b"build \xff: phony\n")

    for _ in range(2):
        assert load(path, tmp_path / "cache/ninja").edges[0].outputs == ("\udcff",)
