"""windrow affected and --explain: which tests a difference or a file concerns, and why."""

from __future__ import annotations

import subprocess

import pytest

from tests.scenarios.impact_by_pytest.looks import CORE, LEAF, MID
from tests.scenarios.impact_project import RealImpact

pytestmark = pytest.mark.xdist_group("windrow-test")


def git(space: RealImpact, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        cwd=space.root,
        check=True,
        capture_output=True,
    )


def test_explain_shows_what_a_test_depends_on_and_which_tests_on_a_file(space: RealImpact) -> None:
    """W2-11, S1-89: both directions, with the way by imports; a name is enough where it is one."""
    of_core = space.console.run("test", "--explain", "core0", "--json").json()
    of_test = space.console.run("test", "--explain", LEAF).out.splitlines()
    space.write("windrow.toml", space.read("windrow.toml").replace("tests/test_flow.py", CORE))
    of_leaf = space.console.run("test", "--explain", "src/todo/leaf00.py").out.splitlines()
    nobody = space.console.run("test", "--explain", "no-such")
    space.write("docs/core0.py", "")
    several = space.console.run("test", "--explain", "core0")

    assert of_core["file"] == "src/todo/core0.py"
    assert {one["test"]: one["chain"] for one in of_core["ties"]} == {
        CORE: [CORE, "src/todo/core0.py"],
        MID: [MID, "src/todo/mid00.py", "src/todo/core0.py"],
        LEAF: [LEAF, "src/todo/leaf00.py", "src/todo/mid00.py", "src/todo/core0.py"],
    }
    assert of_test[0] == f"{LEAF} depends on {len(of_test) - 1} files"
    assert f"  src/todo/mid00.py  imports: {LEAF} → src/todo/leaf00.py → src/todo/mid00.py" in of_test
    assert "  requirements.txt  configuration: it is configuration" in of_test
    assert of_leaf[0] == "2 test files may come out otherwise when src/todo/leaf00.py changes"
    assert f"  {CORE}  critical: it is critical" in of_leaf
    assert (nobody.code, "no test depends on a file 'no-such'" in nobody.err) == (4, True)
    assert (several.code, "2 files are called 'core0'" in several.err) == (4, True)


def test_affected_compares_content_whatever_git_has_been_told(space: RealImpact) -> None:
    """U8: edits that are not committed, files that git does not know, and files that are gone count."""
    git(space, "init", "--quiet")
    git(space, "add", ".")
    git(space, "commit", "--quiet", "--message=all")
    git(space, "tag", "start")
    nothing = space.console.run("affected", "--since", "start", "--json").json()
    space.edit("mid00")
    git(space, "commit", "--quiet", "--all", "--message=mid")
    space.edit("leaf00")
    space.write("tests/test_new.py", "from todo.core0 import value\n\n\ndef test_new():\n    assert value()\n")
    space.delete(CORE)

    said = space.console.run("affected", "--since", "start", "--json").json()
    paths = space.console.run("affected", "--since", "start", "--paths").out.splitlines()
    since_head = space.console.run("affected", "--since", "HEAD", "--json").json()

    assert nothing["tests"]["selected"] == nothing["jobs"] == []
    assert said["changes"] == {
        "added": ["tests/test_new.py"],
        "modified": ["src/todo/leaf00.py", "src/todo/mid00.py"],
        "deleted": [CORE],
    }
    assert paths == [LEAF, MID, "tests/test_new.py"]
    assert [job["job"] for job in said["jobs"]] == ["check:build/check/leaf00.ok", "check:build/check/mid00.ok"]
    assert [one["test"] for one in since_head["tests"]["selected"]] == [LEAF, "tests/test_new.py"]
    leaf = space.console.run("affected", "--since", "HEAD", "--explain", LEAF).out.splitlines()
    assert leaf[0].startswith(f"{LEAF} is affected by 1 difference since ")
    assert len(leaf) == 2
    revision = space.console.run("affected", "--since", "rev-0001", "--paths").out.splitlines()
    assert revision == paths
    wrong = space.console.run("affected", "--since", "no-such-tag")
    assert (wrong.code, "error[W0401]: no revision and no git commit 'no-such-tag'" in wrong.err) == (4, True)


def test_affected_explains_by_what_a_test_file_is_and_what_a_file_affects(space: RealImpact) -> None:
    """S1-68: only what differs, also what is gone."""
    space.edit("mid00")
    space.delete("src/todo/leaf00.py")

    leaf = space.console.run("affected", "--since", "rev-0001", "--explain", "test_leaf00").out
    gone = space.console.run("affected", "--since", "rev-0001", "--explain", "src/todo/leaf00.py", "--json").json()
    core = space.console.run("affected", "--since", "rev-0001", "--explain", CORE).out
    wrong = space.console.run("affected", "--since", "rev-0001", "--explain", "nothing")

    assert leaf.splitlines()[0] == f"{LEAF} is affected by 3 differences since rev-0001"
    assert "  src/todo/leaf00.py  imports: it is gone, or not needed any more" in leaf.splitlines()
    assert (gone["since"], gone["file"], gone["is_test"]) == ("rev-0001", "src/todo/leaf00.py", False)
    assert [tie["test"] for tie in gone["ties"]] == [LEAF]
    assert core.startswith(f"{CORE} is not affected: none of its ")
    assert (wrong.code, "error[W0401]" in wrong.err) == (4, True)


def test_affected_by_an_edit_of_windrow_toml_are_the_rules_that_it_changes(space: RealImpact) -> None:
    """The rest of the file may say what it likes; what cannot be told affects everything, and says so."""
    toml = space.read("windrow.toml")
    git(space, "init", "--quiet")
    git(space, "add", ".")
    git(space, "commit", "--quiet", "--message=all")

    def since() -> tuple[list[str], list[str]]:
        told = space.console.run("affected", "--since", "HEAD", "--json").json()
        return [job["job"] for job in told["jobs"]], [one["test"] for one in told["tests"]["selected"]]

    more = '\n[[rule]]\nname = "more"\ninputs = ["README.md"]\ncommand = "cp {in} {out}"\noutputs = ["build/more"]\n'
    space.write("windrow.toml", f"# about the project\n{toml}{more}")
    one_more = since()
    space.write("windrow.toml", toml.replace("[tests]\n", '[tests]\nargs = ["-v"]\n'))
    of_tests = since()
    space.write("windrow.toml", toml.replace('name = "check"', 'name = "check"\ntimeout = 77'))
    of_time = since()
    git(space, "commit", "--quiet", "--all", "--message=timeout")
    space.write("windrow.toml", "[project]\nname = 7\n")
    git(space, "commit", "--quiet", "--all", "--message=broken")
    space.write("windrow.toml", toml)
    said = space.console.run("affected", "--since", "HEAD")

    assert one_more == (["more:build/more"], [])
    assert of_tests == ([], [CORE, LEAF, MID])
    assert of_time == ([], [])  # how long it may take is nothing that an output depends on
    assert "so everything counts as affected: `project.name` must be" in said.err
    assert "3 of 3 test files to run" in said.out
