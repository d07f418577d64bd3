"""Rule files, references, token estimates, selection and configuration, one by one."""

from __future__ import annotations

import pytest

from shared.context_rules import config, references, rule, selection, tokens
from shared.context_rules.config import Selection
from shared.context_rules.references import Reference, Refused
from shared.context_rules.rule import ContextRule
from shared.context_rules.web import Web
from shared.context_rules.yaml_text import Faulty

FRONT = "---\nid: a\ndescription: d\ndomain: x\n{more}---\n{body}"


def parsed(more: str = "", body: str = "", path: str = "backend/a.md") -> ContextRule:
    return rule.parse(path, FRONT.format(more=more, body=body).encode())


# -- rule files ---------------------------------------------------------------------------------------------


def test_a_rule_has_defaults() -> None:
    found = parsed(body="Text.\n")

    assert (found.priority, found.globs, found.tags, found.always_apply) == (50, ("**/backend/**",), (), False)
    assert (found.name, found.directory, found.body) == ("backend/a", "backend", "Text.")
    assert parsed(path="top.md").globs == ()


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("no front\n", 1, "no front matter"),
        ("---\nid: a\n", 1, "has no end"),
        ("---\nid: a\ndescription: d\n---\n", 1, "no `domain`"),
        ("---\nid: a\ndescription: d\ndomian: x\n---\n", 1, "no `domain`; did you mean it by `domian` in line 4?"),
        ("---\nid: a\ndescription: [d\n---\n", 4, ""),
        ("---\nid: a b\ndescription: d\ndomain: x\n---\n", 2, "letters, digits"),
        ("---\nid: a\nid: b\ndescription: d\ndomain: x\n---\n", 3, "there twice, first in line 2"),
        (FRONT.format(more="priority: 101\n", body=""), 5, "from 0 to 100"),
        (FRONT.format(more="priority: true\n", body=""), 5, "from 0 to 100"),
        (FRONT.format(more="globs: {a: b}\n", body=""), 5, "a list of texts"),
        (FRONT.format(more="always_apply: 1\n", body=""), 5, "true or false"),
        ("---\n- a\n---\n", 2, "no mapping"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(Faulty) as caught:
        rule.parse("backend/a.md", text.encode())

    assert (caught.value.line, why in caught.value.why) == (line, True), caught.value.why


def test_a_rule_that_is_no_text_is_refused_with_the_line_of_the_first_bad_byte() -> None:
    with pytest.raises(Faulty, match="not UTF-8") as caught:
        rule.parse("a.md", b"---\nid: a\n\xff")

    assert caught.value.line == 3


def test_line_ends_of_another_system_are_read_as_ours() -> None:
    text = FRONT.format(more="", body="One.\n\nTwo.\n")

    other = rule.parse("backend/a.md", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())

    assert other.body == "One.\n\nTwo."


def test_an_unknown_key_is_a_warning() -> None:
    assert parsed("colour: red\n").warnings == ("unknown key `colour` in line 5",)


def test_the_first_paragraph_is_no_heading() -> None:
    assert rule.first_paragraph("# Title\n\n<!-- x -->\n\nOne\ntwo.\n\nThree.") == "One two."
    assert rule.first_paragraph("# Title\n") == ""


# -- references ---------------------------------------------------------------------------------------------


def test_references_are_found_where_they_are_meant() -> None:
    body = """\
See [one](../b.md#part) and
[two][ref], @src/app.py. Not me@example.com, not @angular, `not [code](x.md)`.

    [indented](code.md)

```css
[fenced](no.md)
@import "style.css";
@import "b"
```
Also `@include 'c'`, [out](https://example.com/x.md), [mail](mailto:a@b.c), [here](#part).

[ref]: /docs/two.md
"""

    assert references.find(body, first=10) == (
        Reference(10, "link", "../b.md#part"),
        Reference(11, "link", "/docs/two.md"),
        Reference(11, "path", "src/app.py"),
        Reference(18, "import", "b"),
        Reference(20, "import", "c"),
    )


@pytest.mark.parametrize(
    ("target", "to"),
    [
        ("b.md", "c/rules/x/b.md"),
        ("../y/b.md", "c/rules/y/b.md"),
        ("/docs/b.md", "docs/b.md"),
        ("a%20b.md?x#y", "c/rules/x/a b.md"),
        ("#here", ""),
    ],
)
def test_a_link_leads_from_its_rule_or_from_the_project(target: str, to: str) -> None:
    assert references.resolve(Reference(1, "link", target), "c/rules/x/a.md") == to


@pytest.mark.parametrize(
    "target", ["../../../../b.md", "/../b.md", "%2e%2e/%2e%2e/%2e%2e/%2e%2e/b", "a%00b", "a\\b", "c:/b"]
)
def test_a_link_out_of_the_project_is_refused(target: str) -> None:
    with pytest.raises(Refused):
        references.resolve(Reference(1, "link", target), "c/rules/x/a.md")


def test_what_a_rule_leads_to_and_circles() -> None:
    web = Web([parsed(body=f"[n]({to}.md)", path=f"{name}.md") for name, to in ("ab", "bc", "cb", "dd")], "r")

    assert web.reached("a.md") == ("b.md", "c.md")
    assert web.cycles() == [("b.md", "c.md", "b.md")]


# -- tokens -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "count"),
    [
        ("a" * 35, "prose", 10),
        ("a" * 36, "prose", 11),
        ("```\n" + "x" * 40 + "\n```\n", "code", 20),
        ("p" * 50 + "\n\n```\n" + "x" * 40 + "\n```\n", "mixed", 34),
        ("文字" * 15, "cjk", 20),
        ("", "prose", 0),
    ],
)
def test_tokens_are_estimated_by_kind_and_rounded_up(text: str, kind: str, count: int) -> None:
    """W4-12."""
    assert (tokens.kind_of(text), tokens.estimate(text)) == (kind, count)


def test_a_twentieth_of_a_budget_stays_free() -> None:
    """W4-12."""
    assert (tokens.usable(4000), tokens.usable(8000)) == (3800, 7600)


# -- selection ----------------------------------------------------------------------------------------------


def numbered(id_: str, priority: int, **more: object) -> ContextRule:
    return ContextRule(f"{id_}.md", id_, "d", "x", "", "", 0, priority=priority, **more)  # type: ignore[arg-type]


def test_highest_priority_first_ties_by_id_and_some_always() -> None:
    """W4-12."""
    rules = [numbered("b", 50), numbered("a", 50), numbered("c", 90), numbered("z", 1)]

    chosen = selection.ranked(rules, Selection(strategy="priority", always_include=("z",)))

    assert [one.id for one in chosen] == ["z", "c", "a", "b"]
    assert [one.id for one in selection.fitting(chosen, 5, lambda one: 4 if one.id == "c" else 2)] == ["z", "a"]


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        (Selection(strategy="directory", include_dirs=("back",)), ["back/a"]),
        (Selection(strategy="tag", include_tags=("t",)), ["c"]),
        (Selection(strategy="glob", include_globs=("*.ts", "back/*")), ["back/a", "d"]),
        (Selection(strategy="all"), ["back/a", "c", "d"]),
    ],
)
def test_strategies(chosen: Selection, ids: list[str]) -> None:
    rules = [numbered("back/a", 5), numbered("c", 5, tags=("t",)), numbered("d", 5, globs=("*.ts",))]

    assert [one.id for one in selection.ranked(rules, chosen)] == ids


def test_a_configuration_says_what_differs_from_the_defaults() -> None:
    found, warnings = config.parse(b"version: 2\ncompile:\n  claude: {max_tokens: 10}\n  cursor: {stratgy: all}\n")

    assert (found.version, found.claude.max_tokens, found.claude.strategy) == ("2", 10, "priority")
    assert found.agents.max_tokens == 8000
    assert warnings == ("unknown key `compile.cursor.stratgy` in line 4; did you mean `strategy`?",)


def test_a_strategy_without_what_it_goes_by_is_an_error() -> None:
    with pytest.raises(Faulty, match="include_tags` is empty"):
        config.parse(b"compile:\n  agents:\n    strategy: tag\n")
