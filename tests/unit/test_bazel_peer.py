"""Bazel as a peer of measurements: left out by a clear word where it cannot be had."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import bazel, fresh
from benchmarks.real import sources, zstd_cmake


def test_without_npm_bazel_is_left_out_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (sources.cache_folder() / "libzstd-1.5.4").mkdir(parents=True)
    assert zstd_cmake.PROJECT.fetch(sources.cache_folder()).is_dir()
    with ExitStack() as stack:
        assert fresh.bazel_rows(stack, tmp_path / "home") == {}
    assert f"left out: Bazel: Bazel {bazel.PACKAGE[1]} comes as a package of npm" in capsys.readouterr().out
