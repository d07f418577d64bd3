"""Rules that call a Python function, from windrow.toml to the tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.console import Console

TOML = """
[project]
name = "pages"

[[rule]]
name = "page"
each = "src/*.md"
call = ["tools/pages.py:page", "{in}", "{out}", "{stem}"]
outputs = ["site/{stem}.html"]
inputs = ["tools/helper.py"]
"""
PAGES = """
from pathlib import Path

from helper import loud


def page(source, out, title):
    Path(out).write_text(title + ":" + loud(Path(source).read_text()))
"""


@pytest.fixture
def shell(tmp_path: Path) -> Console:
    tree = tmp_path / "tree"
    for path, text in {
        "windrow.toml": TOML,
        "tools/pages.py": PAGES,
        "tools/helper.py": "def loud(text):\n    return text.upper()\n",
        "src/a.md": "one",
        "src/b.md": "two",
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    return Console(tree, tmp_path / "cache")


def edit(shell: Console, path: str, old: str, new: str) -> None:
    file = shell.folder / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_rule_calls_a_function_of_the_project(shell: Console) -> None:
    built = shell.run("build", "--json").json()
    assert (built["status"], built["executed"]) == ("ok", 2)
    assert (shell.folder / "site/a.html").read_text() == "a:ONE"
    assert not list(shell.folder.rglob("__pycache__"))

    assert shell.run("build", "--json").json()["status"] == "no-changes"

    edit(shell, "src/a.md", "one", "three")
    assert shell.run("build", "--json").json()["executed"] == 1
    # The function's own file counts, and so does what it imports.
    edit(shell, "tools/pages.py", '":"', '"-"')
    assert shell.run("build", "--json").json()["executed"] == 2
    edit(shell, "tools/helper.py", "upper", "title")
    assert shell.run("build", "--json").json()["executed"] == 2
    assert (shell.folder / "site/a.html").read_text() == "a-Three"


def test_a_failure_is_told_with_a_command_that_repeats_it(shell: Console) -> None:
    edit(
        shell,
        "tools/pages.py",
        "def page(source, out, title):",
        "def page(source, out, title):\n    1 / len(title[1:])",
    )
    said = shell.run("build")
    assert said.code == 1
    assert "ZeroDivisionError" in said.err + said.out
    line = next(line for line in (said.err + said.out).splitlines() if "reproduce:" in line)
    repeated = subprocess.run(
        ["sh", "-c", line.partition("reproduce:")[2]],
        cwd=shell.folder,
        env=shell.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ZeroDivisionError" in repeated.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("tools/pages.py:page", "tools/page.py:page", "did you mean tools/pages.py?"),
        ("tools/pages.py:page", "nobodys.page", "unknown call 'nobodys.page'"),
        ("call = [", 'command = "true"\ncall = [', "both a `command` and a `call`"),
        ("call = [", "nothing = [", "unknown key"),
        ('"{stem}"]', '"{depfile}"]', "placeholder it cannot use"),
    ],
)
def test_a_mistake_in_a_call_is_told_with_its_place(shell: Console, old: str, new: str, said: str) -> None:
    edit(shell, "windrow.toml", old, new)
    answer = shell.run("build")
    assert answer.code == 2
    assert said in answer.err
    assert "windrow.toml:" in answer.err
