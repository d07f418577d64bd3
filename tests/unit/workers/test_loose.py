"""What commands of imported builds may do: leave outputs out, write others, make symlinks; and what they may not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import hashing
from shared.keys import key_after_run, rooted
from shared.model.action import ROOT
from tests.fakes.rooted import RootedFarm, ways
from workers.execute.isolation import Isolation
from workers.sandbox import loose

WAYS: list[Isolation] = [*ways(), "rewriting"]


@pytest.fixture(params=WAYS)
def farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RootedFarm]:
    farm = RootedFarm(tmp_path / "checkout", tmp_path / "sandboxes", way=request.param)
    farm.write("src/in.txt", "in\n")
    farm.write("tool.sh", '#!/bin/sh\ncat "$@"\n', executable=True)
    yield farm
    farm.worker.close()
    assert list((tmp_path / "sandboxes").iterdir()) == []


def test_it_runs_in_its_folder_and_finds_the_tree_at_its_path(farm: RootedFarm) -> None:
    outcome = farm.run(
        "sh", "-c", "cat {root}/src/in.txt ../src/in.txt > gen/out", cwd="build", outputs=("build/gen/out",)
    )

    assert farm.made(outcome) == {"build/gen/out": b"in\nin\n"}


def test_its_files_are_laid_out_with_the_path_and_are_no_outputs(farm: RootedFarm) -> None:
    files = (("build/x/args.rsp", f"{ROOT}/src/in.txt\n"),)

    outcome = farm.run(
        "sh", "-c", "{root}/tool.sh $(cat x/args.rsp) > out", cwd="build", outputs=("build/out",), files=files
    )

    assert farm.made(outcome) == {"build/out": b"in\n"}


def test_a_command_is_told_its_folder_and_a_home(farm: RootedFarm) -> None:
    script = 'test "$PWD" = "$(pwd -P)" && echo "$HOME" | grep -q "$TMPDIR" && touch "$HOME/x" && touch out'

    outcome = farm.run("sh", "-c", script, cwd="build", outputs=("build/out",))

    assert list(farm.made(outcome)) == ["build/out"]


def test_a_folder_that_it_changes_to_is_there(farm: RootedFarm) -> None:
    outcome = farm.run(
        "sh", "-c", "cd {root}/build/deep/sub && pwd && cd ../other && touch {root}/out", outputs=("out",)
    )

    assert outcome.exit_code == 2 or outcome.status == "failed"
    assert outcome.stdout.text.startswith(f"{farm.root}/build/deep/sub\n")


def test_outputs_may_be_left_out(farm: RootedFarm) -> None:
    outcome = farm.run("sh", "-c", "echo b > b", outputs=("a", "b", "c/d"))

    assert farm.made(outcome) == {"b": b"b\n"}


def test_what_else_it_wrote_is_an_output_too(farm: RootedFarm) -> None:
    script = "mkdir -p gen/sub empty; echo x > gen/sub/x; echo o > out; echo > out.d; chmod +x gen/sub/x"

    outcome = farm.run("sh", "-c", script, outputs=("out", "gen"), depfile="out.d")

    assert farm.made(outcome) == {"out": b"o\n", "gen/sub/x": b"x\n"}
    assert outcome.result is not None
    assert [output.mode for output in outcome.result.outputs] == ["file", "exec"]


def test_a_flood_of_files_is_refused(farm: RootedFarm) -> None:
    outcome = farm.run("sh", "-c", f"mkdir m && cd m && seq {loose.MOST + 1} | xargs touch", outputs=("out",))

    assert outcome.status == "failed"
    assert "more than 10,000 files besides its outputs" in outcome.message


def test_a_file_with_a_name_that_no_source_can_have_is_refused(farm: RootedFarm) -> None:
    outcome = farm.run("sh", "-c", "touch \"$(printf 'a\\tb')\"")

    assert outcome.status == "failed"
    assert "not a path that a file of the tree can have" in outcome.message


def test_symlinks_are_taken_as_they_are(farm: RootedFarm, tmp_path: Path) -> None:
    script = "echo > lib.so.1.2; ln -s lib.so.1.2 lib.so; ln -s ../src/in.txt up; ln -s {root}/src abs; ln -s nowhere dangling"

    outcome = farm.run("sh", "-c", script, cwd="build", outputs=("build/lib.so.1.2", "build/lib.so", "build/up"))

    made = farm.made(outcome)
    assert made == {
        "build/lib.so.1.2": b"\n",
        "build/lib.so": "lib.so.1.2",
        "build/up": "../src/in.txt",
        "build/abs": f"{tmp_path}/checkout/src",
        "build/dangling": "nowhere",
    }
    assert outcome.result is not None
    link = outcome.result.outputs[1]
    assert (link.hash, link.size, link.mode) == (hashing.of_bytes(b"lib.so.1.2"), 10, "link")
    assert farm.blobs.contents[link.hash] == b"lib.so.1.2"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "{root}x/y", "{root}/.."])
def test_symlinks_that_lead_out_are_refused(farm: RootedFarm, target: str) -> None:
    outcome = farm.run("sh", "-c", f"ln -s {target} link", cwd="build", outputs=("build/link",))

    assert outcome.status == "failed"
    assert "leads out of the tree" in outcome.message


def test_a_symlink_that_leads_out_through_another_is_refused(farm: RootedFarm) -> None:
    farm.link("here", ".")

    outcome = farm.run("sh", "-c", "ln -s here/../x link", outputs=("link",))

    assert outcome.status == "failed"
    assert "leads out of the tree" in outcome.message


def test_symlinks_of_the_tree_may_name_its_path(farm: RootedFarm, tmp_path: Path) -> None:
    farm.link("abs", f"{tmp_path}/checkout/src")
    farm.link("root", f"{tmp_path}/checkout")

    outcome = farm.run("sh", "-c", "cat abs/in.txt root/src/in.txt > out", outputs=("out",))

    assert farm.made(outcome) == {"out": b"in\nin\n"}


def test_symlinks_of_the_tree_that_lead_out_are_refused(farm: RootedFarm, tmp_path: Path) -> None:
    for target in ("/etc", f"{tmp_path}/checkout/../x", f"{tmp_path}/checkouts"):
        farm.link("link", target)

        outcome = farm.run("touch", "out", outputs=("out",))

        assert outcome.status == "failed"
        assert "leads out of the tree" in outcome.message


def test_hard_links_are_files(farm: RootedFarm) -> None:
    outcome = farm.run("sh", "-c", "echo x > $TMPDIR/x; ln $TMPDIR/x a || cp $TMPDIR/x a; ln a b", outputs=("a",))

    assert farm.made(outcome) == {"a": b"x\n", "b": b"x\n"}


@pytest.mark.parametrize(
    "script", ["echo more >> src/in.txt", "echo ni > src/in.txt", "mv tool.sh src/in.txt", "chmod +x src/in.txt"]
)
def test_a_changed_input_is_named(farm: RootedFarm, script: str) -> None:
    outcome = farm.run("sh", "-c", script)

    assert outcome.status == "failed"
    assert "changed its own inputs, which are no outputs of it: src/in.txt" in outcome.message
    assert farm.results.stored == {}


def test_an_input_that_is_an_output_may_be_changed(farm: RootedFarm) -> None:
    outcome = farm.run("sh", "-c", "echo more >> src/in.txt", outputs=("src/in.txt",))

    assert farm.made(outcome) == {"src/in.txt": b"in\nmore\n"}


def test_an_input_that_was_touched_or_removed_is_not_changed(farm: RootedFarm) -> None:
    outcome = farm.run("sh", "-c", "touch src/in.txt; rm tool.sh; echo > out", outputs=("out",))

    assert list(farm.made(outcome)) == ["out"]


def test_a_depfile_may_be_left_out(farm: RootedFarm) -> None:
    action = farm.action("sh", "-c", "echo > out", outputs=("out",), depfile="out.d")

    outcome = farm.perform(action)

    assert outcome.result is not None, outcome
    assert outcome.result.trace is None
    assert outcome.result.key == key_after_run(action, None)
    assert farm.results.known == {}


def test_a_depfile_that_stays_is_an_output_and_names_the_tree_where_it_is(farm: RootedFarm) -> None:
    script = 'cat {root}/src/in.txt > out; echo "out: $PWD/src/in.txt src/in.txt" > out.d'
    told = {"outputs": ("out",), "depfile": "out.d"}

    kept, taken_in = farm.run("sh", "-c", script, keeps_depfile=True, **told), farm.run("sh", "-c", script, **told)

    assert farm.made(kept) == {"out": b"in\n", "out.d": f"out: {farm.root}/src/in.txt src/in.txt\n".encode()}
    assert farm.made(taken_in) == {"out": b"in\n"}
    assert kept.result.key != taken_in.result.key


def test_an_empty_depfile_says_that_nothing_was_read(farm: RootedFarm) -> None:
    outcome = farm.run("sh", "-c", "echo > out; : > out.d", outputs=("out",), depfile="out.d", primary=("tool.sh",))

    assert outcome.result is not None, outcome
    assert outcome.result.trace is not None
    assert outcome.result.trace.used == ()


def test_paths_of_a_depfile_are_relative_to_the_folder_or_absolute(farm: RootedFarm) -> None:
    for name in ("a.h", "b.h", "c.h"):
        farm.write(f"inc/{name}", "")
    script = "touch out; echo 'out: ../inc/a.h {root}/inc/b.h gen.h /usr/include/stdio.h' > out.d"
    farm.write("build/gen.h", "")

    outcome = farm.run(*("sh", "-c", script), cwd="build", outputs=("build/out",), depfile="build/out.d", primary=())

    assert outcome.result is not None, outcome
    assert outcome.result.trace is not None
    assert outcome.result.trace.used == ("build/gen.h", "inc/a.h", "inc/b.h")
    assert outcome.result.trace.probes == ("stdio.h",)


def test_words_of_the_command_are_looked_for_in_its_folder(farm: RootedFarm) -> None:
    farm.write("build/lib.a", "")
    farm.write("build/other.a", "")

    outcome = farm.run(
        *("sh", "-c", "cat lib.a {root}/src/in.txt > out; : > d"),
        cwd="build",
        outputs=("build/out",),
        depfile="build/d",
        primary=("tool.sh",),
    )

    assert outcome.result is not None, outcome
    assert outcome.result.trace is not None
    assert outcome.result.trace.used == ("build/lib.a", "src/in.txt")


def test_messages_name_files_as_the_checkout_has_them(farm: RootedFarm) -> None:
    outcome = farm.run("sh", "-c", "cat {root}/inc/a.h sub/b.h ../src/c.h; exit 1", cwd="build")

    assert set(outcome.wanted) >= {"inc/a.h", "build/sub/b.h", "src/c.h"}
    # An editor opens what a message names.
    assert f"{farm.root}/inc/a.h" in outcome.stdout.text


def test_a_result_without_the_path_is_everybodys(farm: RootedFarm, tmp_path: Path) -> None:
    action = farm.action("sh", "-c", "cat {root}/src/in.txt > out", outputs=("out",))
    first = farm.perform(action)
    farm.root = str(tmp_path / "elsewhere")

    second = farm.run("sh", "-c", "cat {root}/src/in.txt > out", outputs=("out",))

    assert first.result is not None
    assert first.result.key == key_after_run(action, None)
    assert (second.status, second.result) == ("reused", first.result)


def test_a_result_with_the_path_is_that_of_its_root(tmp_path: Path) -> None:
    if len(WAYS) == 1:
        pytest.skip("this machine has no namespaces")
    farm = RootedFarm(tmp_path / "checkout", tmp_path / "sandboxes")
    scripts = {"echo {root}/x > out": "out", "ln -s {root}/x link": "link", "sh -c 'echo 1 -gz > out'": "out"}
    scripts["sh -c 'echo 1 -flto=auto > out'"] = "out"
    for script, output in scripts.items():
        farm.root = str(tmp_path / "checkout")
        action = farm.action("sh", "-c", script, outputs=(output,))

        first, again = farm.perform(action), farm.perform(action)
        farm.root = str(tmp_path / "elsewhere")
        other = farm.run("sh", "-c", script, outputs=(output,))

        assert first.result is not None, first
        assert first.result.key == rooted(key_after_run(action, None), str(tmp_path / "checkout"))
        assert first.result.key in farm.results.stored
        assert (again.status, again.result) == ("reused", first.result)
        assert other.status == "executed"
        assert other.result is not None
        assert other.result.key != first.result.key
    farm.worker.close()


def test_the_paths_of_an_imported_job_must_be_in_the_tree(farm: RootedFarm) -> None:
    for about in (
        {"cwd": "../x"},
        {"mounts": ("/etc",)},
        {"files": (("../x", ""),)},
        {"files": (("src/in.txt", ""),)},
    ):
        assert farm.run("true", **about).status == "failed"


def test_a_time_limit_ends_it_wherever_it_went(farm: RootedFarm) -> None:
    action = farm.action("sh", "-c", "echo begun; cd /; setsid sleep 61 & sleep 60", outputs=("out",))

    outcome = farm.perform(action, timeout=0.5)

    assert (outcome.status, outcome.exit_code, outcome.stdout.text) == ("failed", 124, "begun\n")


def test_a_program_that_is_not_there_is_named(farm: RootedFarm) -> None:
    outcome = farm.run("{root}/tools/gen.sh")

    assert (outcome.exit_code, outcome.wanted) == (127, ("tools/gen.sh",))


def test_a_socket_that_was_left_is_nobodys(farm: RootedFarm) -> None:
    script = "import socket; socket.socket(socket.AF_UNIX).bind('s')"

    outcome = farm.run("python3", "-c", script, env=(("PATH", os.environ["PATH"]),))

    assert farm.made(outcome) == {}


def test_the_result_of_one_that_leaves_an_output_out_is_kept_for_nobody(farm: RootedFarm) -> None:
    """It is never up to date: no build would take the result, and nothing is to be compared with it."""
    left_out = farm.action("sh", "-c", "date +%N > side", outputs=("never",))
    whole = farm.action("sh", "-c", "echo x > out", outputs=("out",))

    runs = [farm.perform(left_out, no_cache=True) for _ in range(2)]
    assert [(run.status, run.message, list(farm.made(run))) for run in runs] == [("executed", "", ["side"])] * 2
    assert farm.results.stored == {}
    farm.perform(whole)

    assert [list(result.outputs)[0].path for result in farm.results.stored.values()] == ["out"]
