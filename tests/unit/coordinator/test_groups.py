"""One job for each folder: `group_by`, and parts of another rule's outputs: `rule:NAME:PATTERN`."""

from __future__ import annotations

import pytest

from shared.errors import GraphError
from tests.unit.coordinator.test_declared import graph_of, only, rule, tree


def test_files_of_one_folder_make_one_job_that_has_them_all():
    count = rule("count", ["wc", "{in}"], ["{path}/n"], each="c/**/*.md", group_by="c/*")

    graph = graph_of(tree("c/b/2.md", "c/b/1.md", "c/a/x/deep.md", "c/a/3.md", "c/top.md"), count)

    assert {r.id: (r.argv, r.inputs) for r in graph.recipes.values()} == {
        "count:c/a/n": (("wc", "c/a/3.md", "c/a/x/deep.md"), ("c/a/3.md", "c/a/x/deep.md")),
        "count:c/b/n": (("wc", "c/b/1.md", "c/b/2.md"), ("c/b/1.md", "c/b/2.md")),
    }


def test_placeholders_of_a_group_are_those_of_its_folder():
    show = rule("r", ["{name}", "{stem}", "{dir}", "{path}", "x{in}y"], ["{path}.o"], each="**/*.c", group_by="**")

    graph = graph_of(tree("v1.2/a.c", "v1.2/b.c", "d/e/f.c", "top.c"), show)

    assert {r.outputs: r.argv for r in graph.recipes.values()} == {
        ("v1.2.o",): ("v1.2", "v1.2", ".", "v1.2", "xv1.2/a.c v1.2/b.cy"),
        ("d/e.o",): ("e", "e", "d", "d/e", "xd/e/f.cy"),
    }


def test_the_deepest_folder_that_matches_counts():
    graph = graph_of(tree("p/q/r/a"), rule("r", ["cat", "{in}"], ["o/{path}"], each="**/a", group_by="p/**"))

    assert list(graph.recipes) == ["r:o/p/q/r"]


def test_jobs_of_groups_read_what_jobs_of_files_make_and_only_the_part_that_is_named():
    page = rule("page", ["render", "{in}"], ["site/{dir}/{stem}.html", "site/{dir}/{stem}.title"], each="c/*/*.md")
    index = rule("index", ["list", "{in}"], ["{path}.index"], each="rule:page:**/*.title", group_by="site/c/*")
    book = rule("book", ["bind", "{in}"], ["book"], inputs=("rule:index", "rule:page:site/c/a/*.html"))

    graph = graph_of(tree("c/a/1.md", "c/a/2.md", "c/b/3.md"), page, index, book)

    assert graph.recipes["index:site/c/a.index"].inputs == ("site/c/a/1.title", "site/c/a/2.title")
    assert graph.recipes["index:site/c/b.index"].inputs == ("site/c/b/3.title",)
    assert graph.recipes["book:book"].inputs == (
        "site/c/a.index", "site/c/a/1.html", "site/c/a/2.html", "site/c/b.index",
    )  # fmt: skip
    assert [graph.depth[id_] for id_ in ("page:site/c/a/1.html", "index:site/c/a.index", "book:book")] == [0, 1, 2]


def test_a_group_of_many_files_has_declared_inputs_too():
    files = [f"c/{number:03}.md" for number in range(100)]

    recipe = only(tree("style", *files), rule("r", ["cat", "{in}"], ["o"], each="c/*", group_by="c", inputs=("style",)))

    assert recipe.inputs == (*files, "style")
    assert recipe.argv == ("cat", *files)


def test_group_by_needs_each():
    with pytest.raises(GraphError, match="`group_by` and no `each`"):
        graph_of(tree("a"), rule("r", ["cat"], ["o"], inputs=("a",), group_by="*"))


def test_a_pattern_of_a_reference_is_checked():
    with pytest.raises(GraphError, match=r"bad pattern '\['"):
        graph_of(tree("a"), rule("p", ["cat"], ["o/{name}"], each="a"), rule("r", ["x"], ["y"], inputs=("rule:p:[",)))


def test_an_unknown_rule_before_a_pattern_is_named():
    with pytest.raises(GraphError, match="unknown rule 'pag'"):
        graph_of(tree("a"), rule("page", ["x"], ["y"]), rule("r", ["x"], ["z"], inputs=("rule:pag:*.html",)))
