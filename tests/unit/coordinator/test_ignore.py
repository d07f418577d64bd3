"""Ignore rules, held against git's own answers."""

import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.scan.ignore import Ignores
from coordinator.scan.walk import leaves_out, walk

PATHS = [
    "a", "b", "a.o", "keep.o", "build/", "build/a.o", "build/sub/", "build/sub/b", "src/", "src/a.c", "src/build/", "src/build/x",
    "docs/", "docs/a.md", "docs/deep/", "docs/deep/a.md", "docs/deep/er/", "docs/deep/er/b.md", "x y", "#hash", "!bang", "a]b",
    "build-tools/", "build-tools/build1", "src/.hidden", "src/foo.d/", "src/foo.d/z", "aa/", "aa/b/", "aa/b/c",
]  # fmt: skip


def git_says(folder: Path, files: dict[str, str]) -> set[str]:
    """The paths git ignores, those below ignored folders left out as the walk would."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", str(folder)], check=True, capture_output=True)
    for path in PATHS:
        (folder / path).mkdir(parents=True, exist_ok=True) if path.endswith("/") else (folder / path).touch()
    for base, text in files.items():
        (folder / base / ".gitignore").write_bytes(text.encode())
    # Asked about `src/` git would match patterns against an empty name.
    asked = "\0".join(path.rstrip("/") for path in PATHS)
    done = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-z", "--stdin"],
        input=asked,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stderr
    ignored = set(done.stdout.split("\0"))
    return {path for path in PATHS if path.rstrip("/") in ignored}


def we_say(files: dict[str, str]) -> set[str]:
    ignored: set[str] = set()
    for path in PATHS:
        rules = Ignores()
        parts = path.rstrip("/").split("/")
        for depth in range(len(parts)):
            folder = "/".join(parts[:depth])
            if folder in files:
                rules = rules.entering(folder, files[folder], settings=False)
            here = "/".join(parts[: depth + 1])
            if rules.ignored(here, folder=depth + 1 < len(parts) or path.endswith("/")):
                ignored.add(path)
                break
    return ignored


CASES = [
    {"": "*.o\n!keep.o\n"},
    {"": "build/\n"},
    {"": "/build\n"},
    {"": "/build/*\n"},
    {"": "build*\n!build-tools\n"},
    {"": "build*\n!build-tools/\n"},
    {"": "docs/**\n!docs/deep/\n"},
    {"": "docs/**/b.md\n**/a.md\n"},
    {"": "*\n!*/\n!*.c\n"},
    {"": "sub/\n!build/\n"},
    {"": "*.md\n", "docs": "!*/\n"},
    {"": "\\#hash\n\\!bang\n# comment\n\n"},
    {"": "a]b\n[ab]\nx\\ y\n"},
    {"": "x y   \r\nsrc/*\r\n"},
    {"": "[a\n[!b]\n"},
    {"": "*.o\n", "build": "!a.o\n"},
    {"": "!a.o\n", "build": "*.o\n/sub\n"},
    {"src": "build\n.*\n"},
    {"": "src/foo.d/\nfoo.d\n"},
    {"": "**\n"},
    {"": "/**\n"},
    {"": "**/\n"},
    {"": "aa/**/c\n"},
    {"": "aa/**/**/c\n***/b\n"},
    {"": "/\n//\n!\n"},
    {"": "[[:alpha:]]\n[]a]*\n"},
    {"": "a**\n"},
    {"": "\ufeffbuild/\n"},
]


@pytest.mark.parametrize("files", CASES, ids=[repr(case) for case in CASES])
def test_the_answer_is_the_one_of_git(files, tmp_path):
    assert we_say(files) == git_says(tmp_path, files)


PIECE = st.sampled_from(
    [
        "a",
        "b",
        "*",
        "**",
        "?",
        "/",
        ".",
        "o",
        "build",
        "src",
        "docs",
        "deep",
        "[ab]",
        "[!a]",
        "*.o",
        "/**/",
        "\\",
        "!",
        " ",
        "[a-d]",
        "aa",
        "c",
        "[]",
        "]",
        "#",
    ]
)

# Before git 2.52 stars right behind a plain beginning span folders: `a**/c` matches aa/b/c, against gitignore(5).
STARS_BEHIND_A_NAME = re.compile(r"[^*?\[\\]*[^/*?\[\\]\*\*")
LINE = (
    st.lists(PIECE, min_size=1, max_size=5)
    .map("".join)
    .filter(lambda line: not STARS_BEHIND_A_NAME.match(line.removeprefix("!")))
)


@settings(max_examples=60, deadline=None)
@given(
    root=st.lists(LINE, max_size=4),
    nested=st.lists(LINE, max_size=2),
    base=st.sampled_from(["src", "docs", "docs/deep"]),
)
def test_any_patterns_mean_what_they_mean_to_git(root, nested, base, tmp_path_factory):
    files = {"": "\n".join(root) + "\n", base: "\n".join(nested) + "\n"}

    assert we_say(files) == git_says(tmp_path_factory.mktemp("tree"), files)


def test_two_stars_within_a_name_are_one():
    rules = Ignores().entering("", "a**/c\n", settings=False)

    assert rules.ignored("aa/c", folder=False)
    assert not rules.ignored("aa/b/c", folder=False)


def test_settings_come_before_files():
    rules = Ignores.of_settings(["*.tmp", "!keep.o"]).entering("", "*.o\n!a.tmp\n", settings=True)

    assert rules.ignored("a.tmp", folder=False)
    assert not rules.ignored("keep.o", folder=False)
    assert rules.ignored("b.o", folder=False)


def test_many_patterns_cost_little_for_each_path():
    rules = Ignores().entering("", "\n".join(f"*.{n}x\nname{n}/\n/top{n}/*.y" for n in range(30)), settings=False)

    start = time.process_time()
    for number in range(2000):
        rules.ignored(f"src/some/deep/file{number}.c", folder=False)

    assert time.process_time() - start < 0.2


def test_of_one_path_is_said_what_a_walk_of_the_whole_tree_does(tmp_path: Path):
    files = {
        ".gitignore": "*.xml\n/build/\n!kept.xml\n",
        "a/.gitignore": "kept.xml\n*.log\n",
        "b/.gitignore": "!*.log\n",
    }
    paths = [
        f"{folder}{name}"
        for folder in ("", "a/", "b/", "a/c/", "build/", ".git/")
        for name in ("x.py", "r.xml", "kept.xml", "l.log")
    ]
    for path in (*files, *paths):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(files.get(path, ""))

    for patterns in ((), ("b/*.py", "!r.xml")):
        walked = walk(str(tmp_path), patterns, ()).files
        assert {path: leaves_out(str(tmp_path), path, patterns) for path in paths} == {
            p: p not in walked for p in paths
        }
