"""Fingerprints of tools: content counts, places do not, and nothing is read twice."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from shared import hashing, toolchain
from shared.errors import ToolMissing
from shared.settings import Rule
from shared.toolchain import fingerprint, system, tools_of, tools_of_commands

PATH = os.environ["PATH"]
LONG_AGO = 1_600_000_000


def tool(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def effort(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What was hashed and what was started."""
    seen: dict[str, list[str]] = {"hashed": [], "started": []}
    of_file, run = hashing.of_file, subprocess.run

    def hashed(path: str) -> tuple[str, int]:
        seen["hashed"].append(os.fspath(path))
        return of_file(path)

    def started(argv: list[str], **options: object) -> object:
        seen["started"].append(argv[0])
        return run(argv, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(toolchain.hashing, "of_file", hashed)
    monkeypatch.setattr(subprocess, "run", started)
    return seen


def test_no_tools_mean_the_system_alone() -> None:
    assert fingerprint([], cache=None, path=PATH).fingerprint == system()
    assert system() == f"linux-{os.uname().machine}"


def test_the_form_is_system_and_sixteen_digits() -> None:
    found = fingerprint(["sh"], cache=None, path=PATH)

    assert found.fingerprint.startswith(system() + "-")
    assert len(found.fingerprint) == len(system()) + 17
    assert found.tools["sh"].path == os.path.realpath("/bin/sh")


def test_equal_content_elsewhere_is_the_same_toolchain(tmp_path: Path) -> None:
    tool(tmp_path / "a", "gen", "#!/bin/sh\n")
    tool(tmp_path / "b", "gen-2", "#!/bin/sh\n")
    (tmp_path / "b/gen").symlink_to("gen-2")

    first, second = (fingerprint(["gen"], cache=None, path=str(tmp_path / name)) for name in "ab")

    assert first.fingerprint == second.fingerprint
    assert first.tools["gen"].path != second.tools["gen"].path


def test_a_changed_wrapper_is_another_toolchain_whatever_its_times(tmp_path: Path) -> None:
    path = tool(tmp_path / "bin", "mycc", "#!/bin/sh\nexec gcc -O1 $@\n")
    os.utime(path, (LONG_AGO, LONG_AGO))
    cache = tmp_path / "cache.json"
    before = fingerprint(["mycc"], cache=cache, path=str(tmp_path / "bin"))

    path.write_text("#!/bin/sh\nexec gcc -O2 $@\n")
    os.utime(path, (LONG_AGO, LONG_AGO))
    after = fingerprint(["mycc"], cache=cache, path=str(tmp_path / "bin"))

    assert before.fingerprint != after.fingerprint


def test_another_order_of_path_is_another_toolchain(tmp_path: Path) -> None:
    tool(tmp_path / "a", "gen", "one")
    tool(tmp_path / "b", "gen", "two")
    a, b = str(tmp_path / "a"), str(tmp_path / "b")

    assert fingerprint(["gen"], cache=None, path=f"{a}:{b}") != fingerprint(["gen"], cache=None, path=f"{b}:{a}")


def test_a_compiler_counts_with_the_programs_it_runs() -> None:
    found = fingerprint(["gcc"], cache=None, path=PATH)

    assert {"gcc", "gcc:cc1", "gcc:as", "gcc:ld"} <= found.tools.keys()
    assert found.tools["gcc:cc1"].path.endswith("/cc1")


def test_a_part_of_a_compiler_that_changes_changes_the_fingerprint(tmp_path: Path) -> None:
    part = tool(tmp_path / "bin", "cc1", "one")
    tool(tmp_path / "bin", "x-gcc", f"#!/bin/sh\n[ $1 = -print-prog-name=cc1 ] && echo {part}\n")
    before = fingerprint(["x-gcc"], cache=tmp_path / "c", path=str(tmp_path / "bin") + ":/bin")

    part.write_text("two")
    after = fingerprint(["x-gcc"], cache=tmp_path / "c", path=str(tmp_path / "bin") + ":/bin")

    assert before.tools["x-gcc:cc1"].path == str(part)
    assert before.fingerprint != after.fingerprint


def test_the_second_look_reads_nothing_and_starts_nothing(tmp_path: Path, effort: dict[str, list[str]]) -> None:
    cache = tmp_path / "deep/cache.json"
    first = fingerprint(["gcc", "sh"], cache=cache, path=PATH)
    assert effort["started"]
    for list_ in effort.values():
        list_.clear()
    written = cache.stat()

    second = fingerprint(["gcc", "sh"], cache=cache, path=PATH)

    assert second == first
    assert effort == {"hashed": [], "started": []}
    assert (cache.stat().st_ino, cache.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_a_file_that_changed_a_moment_ago_is_not_trusted(tmp_path: Path, effort: dict[str, list[str]]) -> None:
    path = tool(tmp_path / "bin", "gen", "one")
    fingerprint(["gen"], cache=tmp_path / "c", path=str(tmp_path / "bin"))

    fingerprint(["gen"], cache=tmp_path / "c", path=str(tmp_path / "bin"))

    assert effort["hashed"] == [str(path), str(path)]


@pytest.mark.parametrize("damage", ["", "{", '{"schema": "other/9"}', "[]", '{"files": {"x": 3}}'])
def test_a_damaged_cache_costs_time_only(tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache.json"
    whole = fingerprint(["sh"], cache=cache, path=PATH)
    cache.write_text(damage)

    assert fingerprint(["sh"], cache=cache, path=PATH) == whole


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert fingerprint(["sh"], cache=tmp_path / "file/cache.json", path=PATH).tools


def test_a_missing_tool_is_named_with_the_path() -> None:
    with pytest.raises(ToolMissing, match="no-such-tool") as caught:
        fingerprint(["sh", "no-such-tool"], cache=None, path="/usr/bin:/bin")

    assert "/usr/bin:/bin" in caught.value.why
    assert caught.value.exit_code == 36


def test_tools_are_found_in_rules(tmp_path: Path) -> None:
    rules = [
        Rule("cc", ("gcc", "-c", "{in}"), ("o",)),
        Rule("gen", ("./tools/gen.sh",), ("o",)),
        Rule("text", "tr a b <{in} | no-such-tool && cd x && {tool} y", ("o",)),
    ]

    assert tools_of(rules, "/usr/bin:/bin") == ("gcc", "sh", "tr")
    assert tools_of_commands([("sh", "-c", "sort x")], "/usr/bin:/bin") == ("sh", "sort")
    assert tools_of(rules, "") == ()
