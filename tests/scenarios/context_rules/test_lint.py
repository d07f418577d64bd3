"""What lint blocks, and what it only tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.context_project import FEW, ContextProject
from tests.scenarios.context_rules.looks import READERS

FRONT = "---\nid: {id}\ndescription: d\ndomain: x\n---\n"
BLOCKING: dict[str, tuple[Callable[[ContextProject], object], str]] = {
    "duplicate id": (
        lambda p: p.write(".context/rules/ops/same.md", FRONT.format(id="backend/rule-01")),
        ".context/rules/ops/same.md: the id 'backend/rule-01' is that of .context/rules/backend/rule-01.md too",
    ),
    "cycle": (
        lambda p: [
            p.write(f".context/rules/ops/{one}.md", FRONT.format(id=one) + f"[next]({other}.md)\n")
            for one, other in (("a", "b"), ("b", "c"), ("c", "a"))
        ],
        "these rules refer to each other: ops/a.md → ops/b.md → ops/c.md → ops/a.md",
    ),
    "self reference": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[me](a.md)"),
        ".context/rules/ops/a.md:6: the reference to 'a.md' leads to the rule itself",
    ),
    "out of the project": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](../../../../x.md)"),
        "cannot be followed: it leads out of the project",
    ),
    "encoded": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](%2e%2e/%2e%2e/%2e%2e/%2e%2e/x.md)"),
        "cannot be followed: it leads out of the project",
    ),
    "absolute": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](/etc/passwd)"),
        "is dead: there is no etc/passwd",
    ),
    "drive": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](c:/windows/x.md)"),
        "cannot be followed: it names a drive",
    ),
    "NUL": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](x%00.md)"),
        "cannot be followed: it holds a control character",
    ),
    "symlink that leads outside": (
        lambda p: [
            (p.root / "there").symlink_to("/etc"),
            p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](/there/passwd)"),
        ],
        "cannot be followed: a symlink leads out of the project",
    ),
    "unknown id": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + '```\n@import "nobody"\n```'),
        '.context/rules/ops/a.md:7: @import "nobody" cannot be followed: no rule has this id',
    ),
}


@pytest.mark.parametrize("what", BLOCKING)
def test_what_blocks_a_build(small: ContextProject, what: str) -> None:
    """W4-09: told with file and line, and nothing is written."""
    change, told = BLOCKING[what]
    change(small)
    before = small.tree()

    report = small.build()

    assert report.status == "failed"
    assert told in "\n".join(failure.output for failure in report.failures)
    assert small.tree() == before


def test_a_chain_of_imports_by_id_is_followed(small: ContextProject) -> None:
    """A.4: `@import "id"`, and `@path/to/file` as a reference to any file of the project."""
    small.write("src/auth.py", "pass\n")
    small.write(
        ".context/rules/ops/a.md", FRONT.format(id="a") + 'See @src/auth.py.\n\n```\n@import "backend/rule-03"\n```\n'
    )

    report = small.build()

    assert report.status == "ok"
    assert re.findall(r"^- `(.*?)`", small.read(".cursor/rules/ops-a.mdc"), re.MULTILINE) == [
        "backend/rule-01",
        "backend/rule-03",
    ]


def test_what_is_odd_is_told_and_blocks_nothing(small: ContextProject) -> None:
    """W4-09: a glob that matches nothing, a rule of more than 10,000 tokens; exit 0."""
    small.write("src/main.py", "pass\n")
    small.rule("backend/rule-01", globs='["*.py", "web/**"]')
    small.rule("backend/rule-02", body="word " * 8000)

    said = small.console.run("build", "--incremental")

    assert said.code == 0
    assert "warning: .context/rules/backend/rule-01.md: the glob web/** matches no file" in said.err
    assert "*.py matches no file" not in said.err
    assert "warning: .context/rules/backend/rule-02.md: about 11,429 tokens, more than 10,000" in said.err


def test_two_rules_that_compile_to_one_file_are_an_error_that_names_both(small: ContextProject) -> None:
    """W4-09, U26."""
    small.write(".context/rules/backend-rule-01.md", FRONT.format(id="flat"))

    said = small.console.run("build")

    assert said.code == 2
    assert "two rules make .cursor/rules/backend-rule-01.mdc" in said.err
    assert ".context/rules/backend-rule-01.md" in said.err
    assert ".context/rules/backend/rule-01.md" in said.err


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("compile:\n  claude:\n    max_tokens: many\n", 2, "config.yaml:3"),
        ("compile:\n  claude:\n    strategy: best\n", 2, "which is not one of priority, directory, glob, tag, all"),
        ("compile: [\n", 2, "config.yaml:"),
        ("compiel: {}\n", 0, "unknown key `compiel` in line 1; did you mean `compile`?"),
    ],
)
def test_a_configuration_is_checked(small: ContextProject, text: str, code: int, told: str) -> None:
    """A.4: unknown keys warn, wrong values are errors with their line."""
    small.write(".context/config.yaml", text)

    said = small.console.run("build")

    assert (said.code, told in said.err) == (code, True), said.err


def test_a_project_without_project_md_is_told_so(small: ContextProject) -> None:
    small.delete(".context/project.md")

    said = small.console.run("build")

    assert (said.code, "missing source .context/project.md" in said.err) == (2, True)


def test_a_rule_of_another_kind_that_is_not_there_is_named(tmp_path: Path) -> None:
    project = ContextProject(
        tmp_path / "tree", rules=FEW, settings=READERS.replace('rule:context-rules.mdc"', 'rule:context-rules.mcd"')
    )

    said = project.console.run("build")

    assert (said.code, "did you mean rule:context-rules.mdc?" in said.err) == (2, True)
