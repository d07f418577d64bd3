"""What Windrow does with a build.ninja that ninja does not: other checkouts, stores, farms that are away, rest."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator import rest
from tests.scenarios.ninja_pair import Pair

C_PROJECT = {
    "build.ninja": """\
rule cc
  command = gcc $flags -I@ROOT@/include -MD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
rule link
  command = gcc $in -o $out
rule run
  command = ./$in > $out
build obj@ROOT@/src/main.o: cc @ROOT@/src/main.c
build obj/count.o: cc @ROOT@/src/count.c
build program: link obj@ROOT@/src/main.o obj/count.o
build said: run program
""",
    "src/main.c": '#include <stdio.h>\n#include "count.h"\nint main(void) { printf("%d\\n", count()); return 0; }\n',
    "src/count.c": '#include "count.h"\nint count(void) { return 42; }\n',
    "include/count.h": "int count(void);\n",
}


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = Pair(tmp_path)
    for path, text in C_PROJECT.items():
        pair.write(path, text)
    return pair


def told(folder: Path, report: Path) -> dict[str, str]:
    """How each edge was come by, by its first output without the folder it lies in."""
    edges = json.loads(report.read_text())["edges"]
    return {edge["outputs"][0].replace(str(folder), ""): edge["how"] for edge in edges}


def test_another_checkout_elsewhere_runs_nothing(pair: Pair, tmp_path: Path) -> None:
    first = pair.by_windrow()
    report = tmp_path / "report.json"

    other = pair.by_windrow("--report", str(report), folder=pair.ninja)

    assert (first.code, other.code) == (0, 0), first.said + other.said
    assert set(told(pair.ninja, report).values()) == {"local"}
    assert (pair.ninja / "said").read_text() == "42\n"
    assert (pair.ninja / f"obj{pair.ninja}/src/main.o").is_file()


def test_what_tells_where_it_was_made_is_made_anew_elsewhere(pair: Pair, tmp_path: Path) -> None:
    for path in ("src/main.c", "src/count.c"):
        pair.write(
            path, C_PROJECT[path] + "const char *where = __FILE__;\n".replace("where", Path(path).stem + "_where")
        )
    pair.by_windrow()
    report = tmp_path / "report.json"

    other = pair.by_windrow("--report", str(report), folder=pair.ninja)

    assert other.code == 0, other.said
    assert told(pair.ninja, report)["obj/src/main.o"] == "executed"
    assert str(pair.ninja / "src/main.c").encode() in (pair.ninja / f"obj{pair.ninja}/src/main.o").read_bytes()


def test_outputs_may_stay_in_the_store(pair: Pair) -> None:
    none = pair.by_windrow("--download", "none")
    again = pair.by_windrow("--download", "none")
    assert (none.code, again.out) == (0, "ninja: no work to do.\n"), none.said
    assert not (pair.windrow / "said").exists()

    targets = pair.by_windrow("--download", "targets")
    assert targets.code == 0, targets.said
    assert (pair.windrow / "said").read_text() == "42\n"
    assert not (pair.windrow / "program").exists()

    everything = pair.by_windrow()
    assert everything.code == 0, everything.said
    assert (pair.windrow / "program").is_file()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_without_its_farm_it_goes_on_here_and_says_so_once(pair: Pair) -> None:
    away = {"WINDROW_FARM__BROKER": f"redis://127.0.0.1:{free_port()}/0"}

    built = pair.by_windrow(env=away)

    assert built.code == 0, built.said
    assert built.err.count("building here without it") == 1
    assert (pair.windrow / "said").read_text() == "42\n"


def test_strictly_remote_it_fails_without_its_farm(pair: Pair) -> None:
    away = {"WINDROW_FARM__BROKER": f"redis://127.0.0.1:{free_port()}/0", "WINDROW_FARM__BROKER_PATIENCE": "1"}

    built = pair.by_windrow("--strict-remote", env=away)

    assert built.code == 32
    assert not (pair.windrow / "said").exists()


def test_without_its_store_it_starts_from_the_revision_it_has(pair: Pair, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    pair.by_windrow(env={"WINDROW_STORAGE__URL": f"file://{shared}"})
    shutil.rmtree(shared)
    nowhere = {
        "WINDROW_STORAGE__URL": "s3://bucket/prefix",
        "WINDROW_STORAGE__ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
    }

    built = pair.by_windrow(env=nowhere)

    assert built.code == 0, built.said
    assert "building here without it" in built.err
    assert "no work to do" in built.out


DYNDEP = """\
rule scan
  command = printf 'ninja_dyndep_version = 1\\nbuild out | more: dyndep | made\\n' > $out && echo scan >> @LOG@
rule gen
  command = cat $in > $out && echo gen >> @LOG@
rule cc
  command = cat $in made > $out && echo more > more && echo cc >> @LOG@
  dyndep = dd
rule use
  command = cat $in > $out && echo use >> @LOG@
build made: gen source
build dd: scan in
build out: cc in || dd
build last: use out
default last
"""


def test_dyndep_files_are_made_first_and_what_they_tell_is_heeded(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.write("build.ninja", DYNDEP)
    pair.write("in", "in\n")
    pair.write("source", "source\n")

    for edit in (None, "source", "in", None):
        if edit is not None:
            pair.write(edit, f"{edit} again\n")
        by_ninja, by_windrow = pair.both()
        assert (by_ninja.code, by_windrow.code) == (0, 0), by_windrow.said
        assert set(by_windrow.ran) <= set(by_ninja.ran)
        assert (pair.windrow / "last").read_text() == (pair.ninja / "last").read_text()
        assert (pair.windrow / "more").read_text() == "more\n"


def test_at_rest_it_imports_next_to_nothing(pair: Pair) -> None:
    pair.by_windrow()
    assert "no work" in pair.by_windrow().out
    env = {**os.environ, "HOME": str(pair.home), "XDG_CACHE_HOME": str(pair.home / "cache")}
    command = [sys.executable, "-X", "importtime", "-c", "import windrow; windrow.ninja()"]
    root = Path(__file__).resolve().parents[2]
    settled = False
    for _ in range(3):  # the first two may still note down what the file system says
        done = subprocess.run(
            command, cwd=pair.windrow, env={**env, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
        )
        assert done.stdout == "ninja: no work to do.\n"
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
        settled = settled or loaded.isdisjoint({"click", "msgspec", "tomllib", "hashlib", "coordinator.project"})

    assert settled
    assert (pair.windrow / ".windrow" / rest.FILE).is_file()


@pytest.mark.parametrize("path", ["../said", "/tmp/said", "src/main.c"])
def test_a_store_that_lies_writes_nothing_where_no_rule_writes(pair: Pair, path: str) -> None:
    pair.by_windrow()
    store = pair.home / "cache" / "windrow" / "store"
    shutil.rmtree(store / "projects")
    lies = 0
    for record in (store / "results").rglob("*"):
        if record.is_file() and b'"path":"said"' in record.read_bytes():
            told_so = json.loads(record.read_bytes())
            told_so["outputs"].append({**told_so["outputs"][0], "path": path})
            record.write_text(json.dumps(told_so))
            lies += 1
    pair.forget()
    source = (pair.windrow / "src/main.c").read_text()

    built = pair.by_windrow()

    assert lies == 1
    assert built.code == 32
    assert "a stored result" in built.err
    assert (pair.windrow / "src/main.c").read_text() == source
    assert not (pair.home / "said").exists()


def test_variables_that_pass_env_names_reach_commands_and_count(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.write("windrow.toml", '[project]\nname = "x"\n[ninja]\nfile = "build.ninja"\npass_env = ["FLAVOUR"]\n')
    pair.write(
        "build.ninja", "rule tell\n  command = echo $${FLAVOUR-none} > $out\nbuild out: tell\nbuild other: tell\n"
    )

    said = []
    for flavour in ({"FLAVOUR": "sweet"}, {"FLAVOUR": "sweet"}, {"FLAVOUR": "salty"}, {}, {"FLAVOUR": ""}):
        built = pair.by_windrow(env=flavour)
        assert built.code == 0, built.said
        said.append(((pair.windrow / "out").read_text(), "no work" in built.out))

    assert said == [("sweet\n", False), ("sweet\n", True), ("salty\n", False), ("none\n", False), ("\n", False)]


def test_side_by_side_with_its_sources_only_what_commands_name_is_looked_at(pair: Pair) -> None:
    for path in C_PROJECT:
        pair.delete(path)
    pair.write("build-x/CMakeCache.txt", "CMAKE_HOME_DIRECTORY:INTERNAL=@ROOT@/src-x\n")
    pair.write("src-x/main.c", '#include "value.h"\nint main(void) { return VALUE; }\n')
    pair.write("third/include/value.h", "#define VALUE 0\n")
    pair.write("huge/others.txt", "of others\n")
    rules = "rule cc\n  command = gcc $FLAGS -MD -MF $out.d -c $in -o $out && echo cc >> @LOG@\n  depfile = $out.d\n  deps = gcc\n"
    pair.write(
        "build-x/build.ninja", rules + "build main.o: cc @ROOT@/src-x/main.c\n  FLAGS = -I@ROOT@/third/include\n"
    )

    first = pair.by_windrow("-C", "build-x")
    (pair.windrow / "huge/others.txt").write_text("something else\n")
    still = pair.by_windrow("-C", "build-x")
    pair.write("third/include/value.h", "#define VALUE 1\n")
    edited = pair.by_windrow("-C", "build-x")

    assert (first.code, first.ran) == (0, ("cc",)), first.said
    assert (still.code, still.ran) == (0, ()), still.said
    assert (edited.code, edited.ran) == (0, ("cc",)), edited.said
    kept = json.loads((pair.windrow / "build-x/.windrow/manifest.json").read_bytes())
    assert not [path for path in kept["sources"] if path.startswith("huge")]


def test_a_file_of_the_build_folder_that_only_other_targets_name_keeps_none_from_resting(pair: Pair) -> None:
    """As Meson leaves them when it configures: they were new to every build, which then looked at everything."""
    pair.write("src/a.txt", "a\n")
    pair.write("b/configured.txt", "c\n")
    pair.write(
        "b/build.ninja",
        "rule cat\n  command = cat $in > $out\nbuild one: cat ../src/a.txt\nbuild two: cat configured.txt\n",
    )
    first = pair.by_windrow("-C", "b", "one")
    again = pair.by_windrow("-C", "b", "one")

    assert (first.code, again.code) == (0, 0), first.said + again.said
    assert "no work to do" in again.out
    assert list(pair.windrow.rglob(rest.NAMED)) != []


IGNORED = {
    "src/.gitignore": "/subprojects/*/\n*.log\n",
    "src/main.c": '#include "part/part.h"\nint part(void);\nint main(void) { return part() - PART; }\n',
    "src/subprojects/p/part/part.c": '#include "part.h"\nint part(void) { return PART; }\n',
    "src/subprojects/p/part/part.h": "#define PART 1\n",
    "src/subprojects/only/headers/h.h": "#define H 1\n",
    "b/build.ninja": """\
rule cc
  command = gcc -I../src/subprojects/p -I../src/subprojects/only -MD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
rule link
  command = gcc $in -o $out
build main.o: cc ../src/main.c
build part.o: cc ../src/subprojects/p/part/part.c
build other.o: cc ../src/other.c
build main: link main.o part.o
""",
    "src/other.c": "#include <headers/h.h>\nint other = H;\n",
}


def test_what_compiles_read_counts_though_git_ignores_it(pair: Pair) -> None:
    """Subprojects of Meson are ignored as a rule: their sources are named, their headers are found."""
    for path, text in IGNORED.items():
        pair.write(path, text)
    theirs, ours = pair.by_ninja("-C", "b"), pair.by_windrow("-C", "b")
    assert (theirs.code, ours.code) == (0, 0), ours.said
    assert "repeated" not in ours.said
    assert "no work to do" in pair.by_windrow("-C", "b").out

    pair.write("src/subprojects/p/part/part.h", "#define PART 2\n")
    pair.write("src/subprojects/only/headers/h.h", "#define H 2\n")
    changed = pair.by_windrow("-C", "b", "-d", "explain")
    pair.by_ninja("-C", "b")

    for name in ("main.o", "part.o", "other.o"):
        assert f"{name} is dirty" in changed.said
        assert (pair.windrow / "b" / name).read_bytes() == (pair.ninja / "b" / name).read_bytes()


def test_what_the_settings_leave_out_stays_out_though_a_compile_names_it(pair: Pair) -> None:
    for path, text in IGNORED.items():
        pair.write(path, text)
    pair.write(
        "windrow.toml",
        '[project]\nname = "p"\n[ninja]\nfile = "b/build.ninja"\n[scan]\nignore = ["/src/subprojects/only/"]\n',
    )

    ours = pair.by_windrow("-C", "b", "-k", "0")

    assert ours.code != 0
    assert "headers/h.h: No such file" in ours.said
    assert (pair.windrow / "b/main").exists()
