"""Declared rules that make no graph: refused before anything runs, naming both places."""

from pathlib import Path

import pytest

from coordinator.importers.declared import import_rules
from shared.errors import GraphError
from shared.model.file import FileState
from shared.model.snapshot import Snapshot
from shared.settings import Rule, Settings

FILE = FileState("sha256:" + "0" * 64, 1)
LINK = FileState("sha256:" + "1" * 64, 1, "link")


def rule(line, name, command, outputs, **more):
    return Rule(
        name, command if isinstance(command, str) else tuple(command), tuple(outputs), at=f"windrow.toml:{line}", **more
    )


def refused(*rules, paths=(), links=None, outputs=(), environ=None):
    links = links or {}
    snapshot = Snapshot(
        {**dict.fromkeys(paths, FILE), **dict.fromkeys(links, LINK)}, dict.fromkeys(outputs, FILE), links
    )
    settings = Settings(Path("/nowhere"), "x", "main", Path("/nowhere/cache"), rules=rules)
    with pytest.raises(GraphError) as caught:
        import_rules(settings, snapshot, platform="p", environ=environ or {})
    return caught.value


def said(error):
    return f"{error.what} | {error.why} | {error.fix}"


@pytest.mark.parametrize("second", ["out/x", "out/./x", "out//x", "out/y/../x"])
def test_two_rules_that_make_one_path(second):
    error = refused(rule(3, "a", ["t"], ["out/x"]), rule(7, "b", ["t"], ["y", second]))

    assert error.at == "windrow.toml:7"
    assert "two rules make out/x" in error.what
    assert "windrow.toml:3" in error.why


def test_two_files_of_one_rule_that_make_one_path():
    error = refused(rule(3, "cc", ["gcc"], ["build/{stem}.o"], each="**/*.c"), paths=["src/a.c", "lib/a.c"])

    assert error.at == "windrow.toml:3"
    assert "from lib/a.c" in error.why
    assert "from src/a.c" in error.why
    assert "{path}" in error.fix


def test_one_rule_that_makes_one_path_twice():
    error = refused(rule(3, "a", ["t"], ["x", "./x"]))

    assert "makes x twice" in error.what
    assert error.at == "windrow.toml:3"


def test_rules_that_wait_for_each_other():
    error = refused(rule(3, "a", ["t"], ["x"], inputs=("y",)), rule(7, "b", ["t"], ["y"], inputs=("rule:a",)))

    assert "cycle" in error.what
    assert error.at in ("windrow.toml:3", "windrow.toml:7")
    assert "x" in error.why
    assert "y" in error.why


def test_rules_that_are_applied_to_each_other():
    error = refused(rule(3, "a", ["t"], ["x{stem}"], each="rule:b"), rule(7, "b", ["t"], ["y{stem}"], each="rule:a"))

    assert "cycle" in error.what
    assert "a needs b needs a" in error.why


@pytest.mark.parametrize(
    "again",
    [
        rule(3, "a", ["t"], ["x"], inputs=("x",)),
        rule(3, "a", ["t"], ["x"], inputs=("rule:a",)),
        rule(3, "a", ["t"], ["{in}"], each="*.c"),
        rule(3, "a", ["t"], ["x.c"], each="x.c"),
    ],
)
def test_a_rule_that_reads_its_own_output(again):
    error = refused(again, paths=["x", "x.c"])

    assert error.at == "windrow.toml:3"
    assert "own output" in error.what or "in turn" in error.what


@pytest.mark.parametrize("key", ["inputs", "each"])
def test_a_missing_input(key):
    named = {"inputs": ("src/mian.c",)} if key == "inputs" else {"each": "src/mian.c"}

    error = refused(rule(3, "a", ["t"], ["x"], **named), paths=["src/main.c"])

    assert error.at == "windrow.toml:3"
    assert error.what == "missing input src/mian.c"
    assert f"`{key}`" in error.why
    assert error.fix == "did you mean src/main.c?"


def test_a_missing_input_may_be_the_misspelt_output_of_a_rule():
    error = refused(rule(3, "gen", ["t"], ["gen/config.h"]), rule(7, "a", ["t"], ["x"], inputs=("gen/confg.h",)))

    assert error.fix == "did you mean gen/config.h?"


def test_a_folder_is_no_input():
    error = refused(rule(3, "a", ["t"], ["x"], inputs=("src",)), paths=["src/main.c"])

    assert "it is a folder" in error.why
    assert '"src/**"' in error.fix


def test_what_an_earlier_build_left_is_no_input():
    error = refused(rule(3, "a", ["t"], ["x"], inputs=("gen/y",)), outputs=["gen/y"])

    assert "no rule makes it any more" in error.why


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../x", "out of the tree"),
        ("/x", "absolute"),
        (".git/x", "reserved"),
        (".windrow/x", "reserved"),
        ("a/../..", "out of"),
        ("", "empty"),
        ("~/x", "absolute"),
    ],
)
@pytest.mark.parametrize("where", ["outputs", "depfile"])
def test_an_output_outside_the_tree(path, words, where):
    error = refused(
        rule(3, "a", ["t"], [path]) if where == "outputs" or not path else rule(3, "a", ["t"], ["o"], depfile=path)
    )

    assert error.at == "windrow.toml:3"
    assert words in error.why


def test_an_output_behind_a_symlink():
    error = refused(rule(3, "a", ["t"], ["build/deep/x"]), links={"build": "/elsewhere"})

    assert error.at == "windrow.toml:3"
    assert "behind the symlink build" in error.what
    assert "/elsewhere" in error.why


def test_an_output_below_a_source_file_or_in_the_place_of_a_folder_of_sources():
    below = refused(rule(3, "a", ["t"], ["src/x"]), paths=["src"])
    above = refused(rule(3, "a", ["t"], ["src"]), paths=["src/deep/x"])
    nested = refused(rule(3, "a", ["t"], ["o"]), rule(5, "b", ["t"], ["o/x"]))

    assert "src, which is a source file" in below.what
    assert "src is a folder that holds sources" in above.what
    assert "a file and a directory" in nested.what


def test_two_rules_of_one_name():
    error = refused(rule(3, "a", ["t"], ["x"]), rule(7, "a", ["t"], ["y"]))

    assert (error.at, error.why) == ("windrow.toml:7", "the other is at windrow.toml:3")


@pytest.mark.parametrize("more", [{"inputs": ("rule:ccc",)}, {"each": "rule:ccc"}])
def test_an_unknown_rule(more):
    error = refused(rule(3, "cc", ["t"], ["x"]), rule(7, "a", ["t"], ["y"], **more))

    assert (error.at, error.what, error.fix) == ("windrow.toml:7", "unknown rule 'ccc'", "did you mean rule:cc?")


def test_no_outputs_and_no_command():
    assert "no outputs" in refused(rule(3, "a", ["t"], [])).what
    assert "no command" in refused(rule(3, "a", [], ["x"])).what


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (rule(3, "a", ["{stem}"], ["x"]), "give the rule an `each`"),
        (rule(3, "a", ["t"], ["{name}"]), "give the rule an `each`"),
        (rule(3, "a", ["t", "{depfile}"], ["x"]), "give the rule a `depfile`"),
        (rule(3, "a", ["{inn}"], ["x"]), "{inn} in '{inn}' is none of"),
        (rule(3, "a", "echo ${HOME}", ["x"]), "write '{{HOME}}' for the text itself"),
        (rule(3, "a", "awk '{print $1}'", ["x"]), "write '{{print $1}}'"),
        (rule(3, "a", ["a}"], ["x"]), "a single '}'"),
        (rule(3, "a", ["{a"], ["x"]), "a single '{'"),
        (rule(3, "a", ["t"], ["{out}"]), "cannot be used here"),
        (rule(3, "a", ["t"], ["{in}"]), "cannot be used here"),
        (rule(3, "a", ["t"], ["x"], env={"A": "{nothing}"}), "{nothing}"),
        (rule(3, "a", ["t"], ["x"], depfile="{depfile}"), "{depfile}"),
        (rule(3, "a", ["t"], ["x"], each="[x"), "not closed"),
        (rule(3, "a", ["t"], ["x"], inputs=("../*",)), "leads out"),
    ],
)
def test_a_placeholder_or_pattern_that_cannot_be(wrong, words):
    error = refused(wrong)

    assert error.at == "windrow.toml:3"
    assert words in said(error)


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a/../../x"])
def test_a_symlink_that_leads_out_of_the_tree(target):
    error = refused(rule(3, "r", ["t"], ["o"], inputs=("l*",)), paths=["f"], links={"link": target})

    assert error.at == "windrow.toml:3"
    assert "symlink link leads out of the tree" in error.what


def test_symlinks_that_lead_in_a_circle():
    error = refused(rule(3, "r", ["t"], ["o"], inputs=("a",)), links={"a": "b", "b": "a"})

    assert "circle" in error.what
    assert error.why == "a → b"


def test_files_that_are_sources_and_outputs_in_turn():
    swap = [rule(3, "x", ["t"], ["b"], each="[a]"), rule(7, "y", ["t"], ["a"], each="[b]")]

    error = refused(*swap, paths=["a", "b"])

    assert "in turn" in error.what
    assert error.at in ("windrow.toml:3", "windrow.toml:7")


def test_a_variable_that_is_not_utf8():
    error = refused(rule(3, "r", ["t"], ["o"], pass_env=("X",)), environ={"X": "\udcff"})

    assert error.at == "windrow.toml:3"
    assert "X is not UTF-8" in error.what
