"""windrow-ninja: its report, and where it takes the bucket's keys from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cli import ninja, ninja_options
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

    assert _report(folder) == {"last": "local"}


def test_the_keys_are_taken_from_the_file_that_settings_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "else")
    monkeypatch.setenv("WINDROW_STORAGE__URL", "s3://bucket/prefix")
    monkeypatch.setenv("WINDROW_STORAGE__ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("WINDROW_STORAGE__CREDENTIALS_FILE", str(folder / "none"))

    with pytest.raises(UnreadableFile, match="credentials file"):
        ninja.run(["--quiet"])


# -- flags ----------------------------------------------------------------------------------------


def parsed(*words: str) -> ninja_options.Options:
    options = ninja_options.options_of(words)
    assert isinstance(options, ninja_options.Options)
    return options


def test_flags_and_targets_come_in_any_order() -> None:
    options = parsed("a", "-j4", "b", "-C", "build", "-k", "0", "-v", "--", "-c")

    assert (options.targets, options.jobs, options.directory) == (["a", "b", "-c"], 4, "build")
    assert (options.failures, options.verbose, options.dry, options.quiet) == (0, True, False, False)


def test_what_follows_a_tool_is_the_tool_s() -> None:
    options = parsed("-C", "build", "-t", "targets", "depth", "2")

    assert (options.tool, options.targets) == ("targets", ["depth", "2"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-j", "many"), "invalid -j parameter"),
        (("-j", "-1"), "invalid -j parameter"),
        (("-k", "x"), "-k parameter not numeric; did you mean -k 0?"),
        (("-l", "x"), "-l parameter not numeric: did you mean -l 0.0?"),
        (("-d", "explai"), "unknown debug setting 'explai', did you mean 'explain'?"),
        (("-w", "no=such"), "unknown warning flag 'no=such'"),
        (("--download", "some"), "--download takes all, targets or none"),
        (("-C", "no/such"), "chdir to 'no/such'"),
        (("-f", "no.ninja"), "loading 'no.ninja'"),
        (("-t", "no-tool"), "unknown tool 'no-tool'"),
        (("-t", "clea"), "unknown tool 'clea', did you mean 'clean'?"),
        (("-t", "targets", "rul"), "unknown target tool mode 'rul', did you mean 'rule'?"),
        (("-t", "query"), "expected a target to query"),
        (("-t", "clean", "-r"), "expected a rule to clean"),
        (("-t", "commands", "las"), "unknown target 'las', did you mean 'last'?"),
        (("-t", "inputs", "las"), "unknown target 'las', did you mean 'last'?"),
        (("-t", "query", "las"), "unknown target 'las', did you mean 'last'?"),
        (("clean",), "unknown target 'clean', did you mean 'ninja -t clean'?"),
    ],
)
def test_what_cannot_be_is_told_in_ninja_s_words_with_its_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    assert ninja.run(words) == 1
    assert capsys.readouterr().err.startswith((f"ninja: error: {told}", f"ninja: fatal: {told}"))


@pytest.mark.parametrize(
    ("words", "out", "code"),
    [
        (("--version",), "1.12.1\n", 0),
        (("-h",), "usage: windrow ninja", 0),
        (("-d", "list"), "debugging modes:\n  stats", 1),
        (("-w", "list"), "warning flags:\n  phonycycle", 1),
        (("-C", "no/such", "-t", "list"), "ninja subtools:\n", 0),
        (("-t", "clean", "-h"), "usage: ninja -t clean [options] [targets]\n", 1),
        (("-t", "clean", "-n"), "usage: ninja -t clean [options] [targets]\n", 1),
    ],
)
def test_what_only_tells_builds_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], out: str, code: int
) -> None:
    assert ninja.run(words) == code
    assert capsys.readouterr().out.startswith(out)
    assert not (folder / "last").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-X",), "ninja: invalid option -- 'X'\nusage: windrow ninja"),
        (("--no-such",), "ninja: unrecognized option '--no-such'\nusage: windrow ninja"),
        (("-C",), "ninja: option requires an argument -- 'C'\nusage: windrow ninja"),
        (("-t",), "ninja: option requires an argument -- 't'\nusage: windrow ninja"),
    ],
)
def test_a_flag_that_is_none_has_all_of_them_told(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    assert ninja.run(words) == 1
    assert capsys.readouterr().err.startswith(told)


def test_quietly_not_even_that_there_is_nothing_to_do_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [ninja.run(words) for words in (["--quiet"], ["--quiet"], ["--quiet", "-n", "last"])] == [0, 0, 0]
    assert capsys.readouterr().out == ""


def test_what_was_done_is_counted_where_that_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ninja.run(["-d", "stats"]) == 0

    told = capsys.readouterr().out
    assert re.search(r"^metric +count\nplanned +2\nexecuted +2\n", told, re.MULTILINE)
    assert re.search(r"^\d+\.\d ms in all\n$", told, re.MULTILINE)


def test_a_load_average_is_heeded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ninja.run(["-l", "0.000001", "-j2"]) == 0
    assert (folder / "last").exists()


def test_a_dry_run_shows_what_would_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ninja.run(["-n", "last"]) == 0
    assert capsys.readouterr().out == "[1/2] cp in sub/out\n[2/2] cp sub/out last\n"
    assert not (folder / "last").exists()


def test_a_target_is_built_and_known_to_the_next_build(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ninja.run(["sub/out"]) == 0
    assert ninja.run(["sub/out"]) == 0
    assert capsys.readouterr().out == "[1/1] cp in sub/out\nninja: no work to do.\n"

    assert ninja.run([]) == 0
    assert capsys.readouterr().out == "[1/1] cp sub/out last\n"
