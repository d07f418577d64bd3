"""windrow-ninja: its report, and where it takes the bucket's keys from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import ninja
from shared.errors import UnreadableFile

BUILD = """\
rule copy
  command = cp $in $out
build sub/out: copy in
build last: copy sub/out
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build folder inside its sources, in which commands run."""
    made = tmp_path / "project" / "build"
    (made / "sub").mkdir(parents=True)
    (made / "build.ninja").write_text(BUILD)
    (made / "in").write_text("one\n")
    monkeypatch.chdir(made)
    monkeypatch.setenv("WINDROW_CACHE_DIR", str(tmp_path / "cache"))
    return made


def _report(folder: Path) -> dict[str, str]:
    path = folder.parent / "report.json"
    assert ninja.run(["--quiet", "--report", str(path)]) == 0
    told = json.loads(path.read_text())
    assert told["schema"] == "windrow.ninja/1"
    return {output: edge["how"] for edge in told["edges"] for output in edge["outputs"]}


def test_the_report_tells_how_each_edge_was_come_by(folder: Path) -> None:
    assert _report(folder) == {"sub/out": "executed", "last": "executed"}
    assert _report(folder) == {}

    (folder / "last").unlink()

    assert _report(folder) == {"last": "cut_off"}


def test_the_keys_are_taken_from_the_file_that_settings_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("WINDROW_STORAGE__CREDENTIALS_FILE", str(folder / "none"))

    with pytest.raises(UnreadableFile, match="credentials file"):
        ninja.run(["--quiet"])
