"""A build.ninja as recipes: what edges come to in a tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from coordinator.importers.ninja.circumstances import Late, Tree
from coordinator.importers.ninja.graph import Imported, Importer, told_by_commands
from coordinator.importers.ninja.parser import read
from coordinator.importers.ninja.places import Places
from coordinator.importers.ninja.runs import ordered, undeclared
from shared.errors import GraphError
from shared.model.action import ROOT, Trace
from shared.model.graph import BuildGraph, Recipe
from shared.model.manifest import JobEntry

RULES = """\
rule cc
  command = gcc -c $in -o $out
  depfile = $out.d
rule link
  command = gcc $in -o $out
rule cat
  command = cat $in > $out
rule gen
  command = python3 gen.py $in $out
  description = making $out
"""


class Importing:
    """Build files in a project whose build folder is `build`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "build").mkdir(parents=True)

    def importer(
        self,
        text: str,
        *,
        sources: tuple[str, ...] = (),
        folders: tuple[str, ...] = (),
        outside: Mapping[str, str] | None = None,
        **more: object,
    ) -> Importer:
        (self.root / "build/build.ninja").write_text(RULES + text)
        tree = Tree(frozenset(sources), frozenset(folders), lambda path: (outside or {}).get(path, ""))
        options = {"identity": " ".join, **more}
        return Importer(read(self.root / "build/build.ninja"), Places(str(self.root), "build"), tree, **options)  # type: ignore[arg-type]

    def run(self, text: str, *, headers: tuple[str, ...] = (), **more: object) -> Imported:
        return self.importer(text, **more).run(headers)  # type: ignore[arg-type]

    def recipe(self, text: str, **more: object) -> Recipe:
        (recipe,) = self.run(text, **more).recipes
        return recipe


@pytest.fixture
def project(tmp_path: Path) -> Importing:
    return Importing(tmp_path / "app")


# -- recipes --------------------------------------------------------------------------------------


def test_an_edge_is_a_recipe_in_paths_of_the_tree(project: Importing) -> None:
    recipe = project.recipe("build obj/a.o: cc ../src/a.c\n", sources=("src/a.c",), headers=("inc/a.h",))

    assert (recipe.id, recipe.rule, recipe.outputs) == ("cc:build/obj/a.o", "cc", ("build/obj/a.o",))
    assert recipe.argv == ("/bin/sh", "-c", "gcc -c ../src/a.c -o obj/a.o")
    assert (recipe.inputs, recipe.candidates, recipe.depfile) == (("src/a.c",), ("inc/a.h",), "build/obj/a.o.d")
    assert (recipe.root, recipe.cwd, recipe.loose, recipe.place) == (str(project.root), "build", True, "any")
    assert (recipe.tools, recipe.finds, recipe.at) == ("gcc", "includes", "build.ninja:11")


def test_the_checkout_s_own_path_is_no_part_of_a_command(project: Importing) -> None:
    text = f"build out: cat {project.root}/in.txt\n  rspfile = out.rsp\n  rspfile_content = {project.root}/x {project.root}y\n"

    recipe = project.recipe(text, sources=("in.txt",))

    assert recipe.argv[-1] == f"cat {ROOT}/in.txt > out"
    assert recipe.files == (("build/out.rsp", f"{ROOT}/x {project.root}y"),)
    assert recipe.command[-1] == f"cat {project.root}/in.txt > out"


def test_equal_commands_of_two_checkouts_are_equal(tmp_path: Path) -> None:
    recipes = []
    for name in ("one", "two"):
        project = Importing(tmp_path / name)
        recipe = project.recipe(f"build out: cat {project.root}/in.txt\n", sources=("in.txt",))
        recipes.append((recipe.argv, recipe.inputs, recipe.outputs))

    assert recipes[0] == recipes[1]


def test_phony_and_generating_edges_are_no_recipes(project: Importing) -> None:
    text = "build build.ninja: gen ../meson.build\nbuild out: cat in\nbuild all: phony out build.ninja\n"

    imported = project.run(text, sources=("build/in", "meson.build"))

    assert [recipe.id for recipe in imported.recipes] == ["cat:build/out"]
    assert imported.names.aliases == {"all": ("cat:build/out",)}


def test_an_output_outside_the_project_is_refused(project: Importing) -> None:
    with pytest.raises(GraphError, match=r"output \.\./\.\./out lies outside") as error:
        project.run("build ../../out: cat ../in\n", sources=("in",))

    assert error.value.at == "build.ninja:11"


def test_a_depfile_outside_is_as_good_as_none(project: Importing) -> None:
    recipe = project.recipe("build a.o: cc ../a.c\n  depfile = /tmp/a.d\n", sources=("a.c",))

    assert recipe.depfile is None
    assert recipe.finds == "includes"


def test_a_description_is_for_people(project: Importing) -> None:
    assert project.recipe("build x: gen ../in\n", sources=("in",)).description == "making x"


# -- inputs ---------------------------------------------------------------------------------------


def test_inputs_come_sorted_once_each_and_without_the_order_only(project: Importing) -> None:
    text = "build gen: gen\nbuild out: cat ../b ../a ../b | ../c || gen\n"

    recipe = project.run(text, sources=("a", "b", "c")).recipes[-1]

    assert recipe.inputs == ("a", "b", "c")
    assert recipe.after == ("build/gen",)


def test_files_outside_are_named_with_what_they_hold(project: Importing) -> None:
    recipe = project.recipe(
        "build out: cat ../in | /usr/lib/x.a\n", sources=("in",), outside={"/usr/lib/x.a": "sha256:1"}
    )

    assert recipe.inputs == ("in",)
    assert recipe.outside == (("/usr/lib/x.a", "sha256:1"),)


def test_what_is_missing_is_told_of_its_recipe(project: Importing) -> None:
    imported = project.run("build out: cat ../gone\nbuild far: cat /gone\nbuild fine: cat ../in\n", sources=("in",))

    assert imported.names.missing == {"cat:build/out": ("../gone", "out"), "cat:build/far": ("/gone", "far")}


def test_what_only_comes_before_and_is_missing_is_told_apart_and_for_a_phony_edge_not_at_all(
    project: Importing,
) -> None:
    text = "build direct: cat ../in || gone\nbuild folder: phony || gone\nbuild behind: cat ../in || folder\n"

    names = project.run(text, sources=("in",)).names

    assert (names.missing, names.missing_before, names.absent) == ({}, {"cat:build/direct": ("gone", "direct")}, {})


def test_sources_that_a_command_names_although_the_edge_does_not_are_inputs(project: Importing) -> None:
    text = f"""\
build app: link a.o
  command = gcc a.o -Wl,--version-script=../app.map -T {project.root}/app.ld -Wl,-x,../no.such -o app
"""

    recipe = project.recipe(text, sources=("app.map", "app.ld", "build/a.o"))

    assert recipe.inputs == ("app.ld", "app.map", "build/a.o")


def test_programs_of_the_project_are_inputs(project: Importing) -> None:
    recipe = project.recipe("build out: gen\n  command = ../tools/gen.sh out\n", sources=("tools/gen.sh",))

    assert recipe.inputs == ("tools/gen.sh",)


@pytest.mark.parametrize("command", ["cp -r ../data out", "gcc a.o -L../libs -lx -o out"])
def test_a_command_that_looks_into_folders_is_given_the_tree(project: Importing, command: str) -> None:
    assert project.recipe(f"build out: gen a.o\n  command = {command}\n", sources=("build/a.o",)).finds == "tree"


def test_an_input_that_is_a_folder_counts_by_what_is_read_of_it(project: Importing) -> None:
    recipe = project.recipe("build out: cat ../data ..\n", folders=("data",))

    assert (recipe.inputs, recipe.outside, recipe.finds) == ((), (), "tree")


def test_what_another_job_made_and_the_last_run_read_must_come_before(project: Importing) -> None:
    text = "build gen.h: gen\nbuild a.o: cc ../a.c\n"
    entry = JobEntry("cc", "", (), ("build/a.o",), trace=Trace(used=("build/gen.h", "inc/a.h")))

    recipes = ordered(project.run(text, sources=("a.c",)).recipes, {"cc:build/a.o": entry})

    assert [recipe.after for recipe in recipes] == [(), ("build/gen.h",)]


def test_what_it_was_seen_to_make_besides_is_kept_in_mind(project: Importing) -> None:
    entry = JobEntry("gen", "", (), ("build/x",), also=("build/x.log",))

    imported = project.run("build x: gen ../in\nbuild y: gen ../in\n", sources=("in",))

    assert undeclared(imported.recipes, {"gen:build/x": entry}) == {"gen:build/x": ("build/x.log",)}


def test_a_dyndep_file_adds_outputs_and_inputs(project: Importing) -> None:
    text = "build b.mod.o: cc ../b.c\nbuild a.o: cc ../a.c || dd\n  dyndep = dd\nbuild dd: gen\n"
    late = {"a.o": Late(outputs=("a.mod",), inputs=("b.mod.o",))}

    imported = project.run(text, sources=("a.c", "b.c"), late=late)
    recipe = imported.recipes[1]

    assert recipe.outputs == ("build/a.o", "build/a.mod")
    assert recipe.inputs == ("a.c", "build/b.mod.o")


# -- phony ----------------------------------------------------------------------------------------


def test_a_phony_edge_stands_for_its_inputs(project: Importing) -> None:
    text = "build g: gen\nbuild h: gen\nbuild both: phony g h ../in || o\nbuild o: gen\nbuild out: cat both\n"

    recipe = project.run(text, sources=("in",)).recipes[-1]

    assert recipe.inputs == ("build/g", "build/h", "in")
    assert recipe.after == ("build/o",)


def test_what_needs_a_name_of_nothing_is_never_up_to_date(project: Importing) -> None:
    text = (
        "build FORCE: phony\nbuild always: phony FORCE\nbuild out: cat ../in always\nbuild quiet: cat ../in || FORCE\n"
    )

    out, quiet = project.run(text, sources=("in",)).recipes

    assert (out.always, out.inputs) == (True, ("in",))
    assert not quiet.always


def test_a_phony_name_without_inputs_that_is_a_file_is_that_file(project: Importing) -> None:
    recipe = project.recipe("build ../a.h: phony\nbuild out: cat ../in ../a.h\n", sources=("in", "a.h"))

    assert (recipe.inputs, recipe.always) == (("a.h", "in"), False)


def test_a_phony_edge_of_itself_is_taken_as_cmake_meant_it(project: Importing) -> None:
    assert project.run("build x: phony x ../in\nbuild out: cat x\n", sources=("in",)).recipes[0].inputs == ("in",)


def test_phony_edges_in_a_circle_are_an_error(project: Importing) -> None:
    with pytest.raises(GraphError, match="dependency cycle: a -> b -> a"):
        project.run("build a: phony b\nbuild b: phony a\nbuild out: cat a\n")


# -- names ----------------------------------------------------------------------------------------


def test_defaults_are_what_the_file_says_or_what_nobody_reads(project: Importing) -> None:
    edges = "build a: gen\nbuild b: cat a\nbuild c: gen\nbuild all: phony b\nbuild build.ninja: gen\n"

    assert project.run(edges).names.default == ("gen:build/c", "cat:build/b")
    assert project.run(edges + "default a\n").names.default == ("gen:build/a",)


def test_validations_come_along_also_those_of_phony_edges(project: Importing) -> None:
    text = """\
build a: gen |@ check-a
build check-a: gen
build all: phony a |@ check-all
build check-all: phony c
build c: gen
build user: cat all
default all
"""
    imported = project.run(text)
    graph = BuildGraph(imported.recipes, names=imported.names)

    assert imported.names.aliases["all"] == ("gen:build/a", "gen:build/c")
    assert graph.closure(imported.names.default or ()) == {"gen:build/a", "gen:build/c", "gen:build/check-a"}
    assert graph.closure(["cat:build/user"]) == {"cat:build/user", "gen:build/a", "gen:build/c", "gen:build/check-a"}


def test_a_validation_may_need_what_it_validates(project: Importing) -> None:
    text = "build a: gen |@ all\nbuild test: cat a\nbuild all: phony a test |@ all\ndefault all\n"

    imported = project.run(text)

    assert set(imported.names.default or ()) == {"gen:build/a", "cat:build/test"}


def test_pools_without_depth_bound_nothing(project: Importing) -> None:
    names = project.run("pool few\n  depth = 2\npool any\n  depth = 0\n").names

    assert names.pools.get("few") == 2
    assert "any" not in names.pools


# -- places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("", "any"),
        ("  pool = console\n", "workspace"),
        ("  generator = 1\n", "workspace"),
        ("  pool = few\n", "here"),
        ("  local = 1\n", "here"),
    ],
)
def test_where_an_edge_runs(project: Importing, more: str, place: str) -> None:
    recipe = project.recipe("pool few\n  depth = 2\nbuild out: gen ../in\n" + more, sources=("in",))

    assert recipe.place == place


def test_rules_that_settings_name_run_here(project: Importing) -> None:
    recipes = project.run("build x: gen\nbuild y: cat ../in\n", sources=("in",), local=("ge*",)).recipes

    assert [recipe.place for recipe in recipes] == ["here", "any"]


def test_programs_of_every_command_are_told_once(project: Importing) -> None:
    manifest = project.importer("build x: gen\nbuild y: gen\nbuild z: cat ../in\nbuild all: phony x\n").manifest

    assert sorted(told_by_commands(manifest)[0]) == [("cat",), ("python3",)]


# -- libraries ------------------------------------------------------------------------------------

SYMBOLS = """\
rule symbols
  command = nm $in > $out
  restat = 1
rule any
  command = nm $in > $out
rule solink
  command = gcc -shared $in -o lib.so && nm lib.so > lib.so.TOC
  restat = 1
"""


@pytest.mark.parametrize(
    ("edges", "libraries"),
    [
        ("build lib.so.9: link a.o\nbuild lib.so.symbols: symbols lib.so.9", ("build/lib.so.9",)),
        ("build lib.so lib.so.TOC: solink a.o\nbuild lib.so.symbols: symbols lib.so.TOC", ()),
        ("build lib.so | lib.so.symbols: solink a.o", ("build/lib.so",)),
        ("build lib.so: link a.o\nbuild lib.so.symbols: any lib.so", ()),  # made with every library
        ("build lib.so: link a.o\nbuild lib.so.symbols: symbols lib.so notes.txt", ()),  # more than of a library
        ("build lib.sort: link a.o\nbuild lib.so.symbols: symbols lib.sort", ()),
        ("build a.dll: link a.o\nbuild b.dylib: link a.o\nbuild lib.so.symbols: symbols a.dll b.dylib",
         ("build/a.dll", "build/b.dylib")),
    ],
)  # fmt: skip
def test_what_is_made_of_libraries_stands_for_them(project: Importing, edges: str, libraries: tuple[str, ...]) -> None:
    text = SYMBOLS + edges + "\nbuild prog: link main.o | lib.so.symbols\n"

    found = {one.id: one for one in project.run(text, sources=("build/a.o", "build/main.o", "build/notes.txt")).recipes}

    assert found["link:build/prog"].libraries == libraries
    assert "build/lib.so.symbols" in found["link:build/prog"].inputs


def test_a_library_that_is_named_counts(project: Importing) -> None:
    text = SYMBOLS + "build lib.so: link a.o\nbuild lib.symbols: symbols lib.so\nbuild p: link lib.so | lib.symbols\n"

    found = {one.id: one for one in project.run(text, sources=("build/a.o",)).recipes}

    assert found["link:build/p"].libraries == ()
