"""Declared rules: what recipes they become."""

from pathlib import Path

import pytest

from coordinator.importers.declared import fingerprint, import_rules
from shared.model.file import FileState
from shared.model.snapshot import Snapshot
from shared.settings import Rule, Settings

FILE = FileState("sha256:" + "0" * 64, 1)
LINK = FileState("sha256:" + "1" * 64, 1, "link")


def tree(*paths, links=None, outputs=()):
    links = links or {}
    return Snapshot({**dict.fromkeys(paths, FILE), **dict.fromkeys(links, LINK)}, dict.fromkeys(outputs, FILE), links)


def rule(name, command, outputs, **more):
    line = more.pop("line", 10)
    return Rule(
        name, command if isinstance(command, str) else tuple(command), tuple(outputs), at=f"windrow.toml:{line}", **more
    )


def graph_of(snapshot, *rules, environ=None, platform="p"):
    settings = Settings(Path("/nowhere"), "x", "main", Path("/nowhere/cache"), rules=rules)
    return import_rules(settings, snapshot, platform=platform, environ=environ or {})


def only(snapshot, *rules, environ=None):
    (recipe,) = graph_of(snapshot, *rules, environ=environ).recipes.values()
    return recipe


def test_a_rule_with_each_makes_one_recipe_for_every_file():
    cc = rule("cc", ["gcc", "-c", "{in}", "-o", "{out}"], ["build/{path}.o"], each="src/**/*.c")

    graph = graph_of(tree("src/a.c", "src/x/b.c", "src/c.h"), cc)

    assert list(graph.recipes) == ["cc:build/src/a.o", "cc:build/src/x/b.o"]
    recipe = graph.recipes["cc:build/src/x/b.o"]
    assert recipe.argv == ("gcc", "-c", "src/x/b.c", "-o", "build/src/x/b.o")
    assert recipe.inputs == ("src/x/b.c",)
    assert (recipe.rule, recipe.at, recipe.depfile, recipe.timeout) == ("cc", "windrow.toml:10", None, None)


def test_a_rule_without_each_makes_one_recipe_of_all_its_inputs():
    recipe = only(
        tree("b", "a", "c.txt"), rule("all", ["cat", "{in}"], ["out", "log"], inputs=("b", "*.txt", "a"), timeout=5)
    )

    assert recipe.id == "all:out"
    assert recipe.argv == ("cat", "a", "b", "c.txt")
    assert recipe.inputs == ("a", "b", "c.txt")
    assert recipe.timeout == 5


def test_placeholders_of_a_file():
    show = rule("r", ["{stem}", "{name}", "{dir}", "{path}", "x{in}y", "{{in}}"], ["o/{dir}/{name}.o"], each="**/*.c")

    graph = graph_of(tree("a.b.c", "d/e.c"), show)

    assert graph.recipes["r:o/a.b.c.o"].argv == ("a.b", "a.b.c", ".", "a.b", "xa.b.cy", "{in}")
    assert graph.recipes["r:o/d/e.c.o"].argv == ("e", "e.c", "d", "d/e", "xd/e.cy", "{in}")


def test_a_name_that_is_all_suffix_is_its_own_stem():
    assert only(tree("d/.env"), rule("r", ["{stem}"], ["o/{path}.x"], each="d/*")).outputs == ("o/d/.env.x",)


def test_several_inputs_and_outputs_are_words_of_a_list_and_joined_inside_a_word():
    recipe = only(tree("a", "b"), rule("r", ["t", "{out}", "--in={in}", "--out={out}"], ["x", "y"], inputs=("*",)))

    assert recipe.argv == ("t", "x", "y", "--in=a b", "--out=x y")


def test_a_string_is_run_by_the_shell_with_names_quoted():
    recipe = only(tree("a b", "c"), rule("r", "cat {in} > {out} && echo ${{HOME}}", ["o'x"], inputs=("*",)))

    assert recipe.argv == ("/bin/sh", "-c", "cat 'a b' c > 'o'\"'\"'x' && echo ${HOME}")


def test_names_are_quoted_for_the_place_they_stand_in():
    recipe = only(tree("$(x)'`"), rule("r", "echo \"{in}\" '{in}' {in}", ["o"], inputs=("*",)))

    assert recipe.argv[2] == "echo \"\\$(x)'\\`\" '$(x)'\\''`' '$(x)'\"'\"'`'"


def test_with_a_depfile_the_file_is_an_input_and_the_rest_are_candidates():
    cc = rule("cc", ["gcc", "-MF", "{depfile}", "{in}"], ["{path}.o"], each="*.c", inputs=("*.h",), depfile="{out}.d")

    graph = graph_of(tree("a.c", "b.c", "x.h", "y.h"), cc)

    first, second = graph.recipes.values()
    assert (first.inputs, first.candidates, first.depfile) == (("a.c",), ("x.h", "y.h"), "a.o.d")
    assert first.argv[2] == "a.o.d"
    assert first.candidates is second.candidates


def test_without_a_depfile_everything_is_an_input():
    assert only(tree("b.c", "a.h", "x.h"), rule("cc", ["gcc", "{in}"], ["o"], each="*.c", inputs=("*.h",))).inputs == (
        "a.h",
        "b.c",
        "x.h",
    )


def test_with_a_depfile_and_without_each_it_depends_on_whether_in_is_used():
    with_in = only(tree("a", "b"), rule("r", ["t", "{in}"], ["o"], inputs=("*",), depfile="d"))
    without = only(tree("a", "b"), rule("r", ["t", "{depfile}"], ["o"], inputs=("*",), depfile="d"))

    assert (with_in.inputs, with_in.candidates) == (("a", "b"), ())
    assert (without.inputs, without.candidates) == ((), ("a", "b"))


def test_outputs_of_another_rule_are_inputs_and_make_an_edge():
    cc = rule("cc", ["gcc", "{in}"], ["{path}.o"], each="*.c")
    link = rule("link", ["ld", "{in}"], ["hello"], inputs=("rule:cc",))

    graph = graph_of(tree("b.c", "a.c"), link, cc)

    assert graph.recipes["link:hello"].argv == ("ld", "a.o", "b.o")
    assert set(graph.dependencies["link:hello"]) == {"cc:a.o", "cc:b.o"}


def test_a_rule_can_be_applied_to_each_output_of_another():
    cc = rule("cc", ["gcc", "{in}"], ["{path}.o", "{path}.map"], each="*.c")
    strip = rule("strip", ["strip", "{in}"], ["out/{name}"], each="rule:cc")

    graph = graph_of(tree("a.c"), strip, cc)

    assert sorted(graph.recipes) == ["cc:a.o", "strip:out/a.map", "strip:out/a.o"]
    assert graph.dependencies["strip:out/a.map"] == ("cc:a.o",)


def test_a_path_that_a_rule_makes_is_an_edge_and_may_be_the_each():
    gen = rule("gen", ["gen"], ["gen/x.h"])
    use = rule("use", ["t"], ["o"], inputs=("./gen/x.h",))
    each = rule("each", ["t", "{in}"], ["p"], each="gen/x.h")

    graph = graph_of(tree(), gen, use, each)

    assert graph.recipes["use:o"].inputs == ("gen/x.h",)
    assert graph.dependencies["use:o"] == graph.dependencies["each:p"] == ("gen:gen/x.h",)


def test_a_glob_never_matches_what_a_rule_makes_though_it_lies_there():
    gen = rule("gen", ["gen", "{in}"], ["{path}.gen.c"], each="**/*.c")
    all_ = rule("all", ["cat", "{in}"], ["all.txt"], inputs=("**/*.c",))

    # Left by an earlier build: the output, and what a build made of that when it was taken for a source.
    graph = graph_of(tree("a.c", "a.gen.c"), gen, all_)

    assert sorted(graph.recipes) == ["all:all.txt", "gen:a.gen.c"]
    assert graph.recipes["all:all.txt"].inputs == ("a.c",)


def test_the_environment_holds_what_is_declared_and_what_is_passed():
    more = {"env": {"Z": "{out}", "A": "1"}, "pass_env": ("UNSET", "EMPTY", "SET")}

    recipe = only(tree(), rule("r", ["t"], ["o"], **more), environ={"EMPTY": "", "SET": "s", "OTHER": "x"})

    assert recipe.env == (("A", "1"), ("EMPTY", ""), ("SET", "s"), ("UNSET", None), ("Z", "o"))


def test_the_fingerprint_tells_unset_from_empty_and_one_platform_from_another():
    passing = rule("r", ["t"], ["o"], pass_env=("X",))
    settings = Settings(Path("/n"), "x", "main", Path("/c"), rules=(passing,))
    moved = Settings(Path("/m"), "y", "main", Path("/c"), rules=(rule("r", ["t"], ["o"], pass_env=("X",), line=99),))

    def of(settings, platform="p", **environ):
        return fingerprint(settings, platform=platform, environ=environ)

    assert len({of(settings), of(settings, X=""), of(settings, X="1"), of(settings, "q")}) == 4
    assert of(settings, OTHER="1") == of(settings) == of(moved)
    assert graph_of(tree(), passing).fingerprint == of(settings)


def test_what_a_command_names_is_an_input_though_nobody_declared_it():
    gen = rule("gen", ["gen"], ["tool.cfg"])
    listed = rule(
        "a", ["python3", "./tools/gen.py", "tool.cfg", "-x", "{in}"], ["{stem}.out"], each="*.in", depfile="{stem}.d"
    )
    shell = rule("b", "sh tools/gen.py<data/{stem}.txt>{out}; true", ["{stem}.out2"], each="*.in")

    graph = graph_of(tree("tools/gen.py", "a.in", "data/a.txt"), gen, listed, shell)

    assert graph.recipes["a:a.out"].inputs == ("a.in", "tool.cfg", "tools/gen.py")
    assert graph.dependencies["a:a.out"] == ("gen:tool.cfg",)
    assert graph.recipes["b:a.out2"].inputs == ("a.in", "data/a.txt", "tools/gen.py")


def test_a_shell_text_that_never_closes_a_quote_is_left_to_the_shell():
    recipe = only(tree("tool.sh"), rule("r", "cat <<E > {out}\ndon't tool.sh\nE", ["o"]))

    assert recipe.inputs == ("tool.sh",)


@pytest.mark.parametrize("command", ["awk '{{print $1}}' {in} > {out}", "echo }}{{ {in}"])
def test_braces_are_written_twice(command):
    assert "{{" not in only(tree("a"), rule("r", command, ["o"], inputs=("a",))).argv[2]


def test_an_each_that_matches_nothing_makes_no_job_and_a_warning():
    graph = graph_of(
        tree("a"), rule("cc", ["gcc"], ["{stem}.o"], each="*.c"), rule("r", ["t"], ["o"], inputs=("*.nothing",))
    )

    assert list(graph.recipes) == ["r:o"]
    assert graph.warnings == ("windrow.toml:10: rule 'cc' makes no job: nothing matches *.c",)


def test_a_pattern_that_only_outputs_of_another_rule_match_gets_a_warning():
    graph = graph_of(
        tree("a.txt"),
        rule("up", ["t", "{in}", "{out}"], ["build/{stem}.up"], each="*.txt"),
        rule("all", ["cat"], ["all"], inputs=("build/*.up",)),
    )

    (warning,) = graph.warnings
    assert "rule 'all' reads build/*.up, which matches no source" in warning
    assert "rule:up:build/*.up stands for what rule 'up' makes" in warning


def test_a_symlink_brings_what_it_leads_to():
    snapshot = tree("real/a.h", "real/b.h", "x.c", links={"inc": "real", "l1": "sub/l2", "sub/l2": "../x.c"})

    recipe = only(snapshot, rule("r", ["t", "{in}"], ["o"], inputs=("inc", "l1")))

    assert recipe.argv == ("t", "inc", "l1")
    assert recipe.inputs == ("inc", "l1", "real/a.h", "real/b.h", "sub/l2", "x.c")


def test_a_symlink_among_candidates_brings_its_target_as_a_candidate():
    snapshot = tree("a.c", "deep/x.h", links={"inc/x.h": "../deep/x.h"})

    recipe = only(snapshot, rule("r", ["t"], ["o"], each="a.c", inputs=("inc/*",), depfile="d"))

    assert (recipe.inputs, recipe.candidates) == (("a.c",), ("deep/x.h", "inc/x.h"))


def test_a_path_behind_a_linked_folder_is_found():
    snapshot = tree("real/a.h", links={"inc": "real"})

    assert only(snapshot, rule("r", ["t"], ["o"], inputs=("inc/a.h",))).inputs == ("inc", "real/a.h")
    assert only(snapshot, rule("r", ["t", "inc/a.h"], ["o"])).inputs == ("inc", "real/a.h")


def test_a_symlink_to_what_a_rule_makes_is_an_edge():
    graph = graph_of(tree(links={"l": "gen/x"}), rule("gen", ["g"], ["gen/x"]), rule("r", ["t"], ["o"], inputs=("l",)))

    assert graph.recipes["r:o"].inputs == ("gen/x", "l")


def test_a_dangling_symlink_is_an_input_like_any_other():
    assert only(tree(links={"l": "nowhere"}), rule("r", ["t"], ["o"], inputs=("l",))).inputs == ("l",)


def test_outputs_have_one_spelling():
    assert only(tree("x.c"), rule("r", ["t", "{out}"], ["./a//b/../{stem}"], each="x.c")).outputs == ("a/x",)
