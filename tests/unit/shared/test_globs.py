"""Globs, held against a matcher that is slow and plain."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.globs import PathIndex, compiled, has_magic

NAMES = ["a", "b", "ab", "a.c", "b.h", ".x", "c]", "é"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)
PART = st.sampled_from(
    [
        "a",
        "b",
        "*",
        "**",
        "?",
        "*.c",
        "a*",
        "[ab]",
        "[!a]",
        "{a,b}",
        "*.{c,h}",
        "[a-b]b",
        "**b",
        ".*",
        "??",
        "[]c]]",
        "é",
    ]
)
PATTERN = st.lists(PART, min_size=1, max_size=4).map("/".join) | st.just("{a/b,**/ab}/*") | st.just("{a,{b,ab}}/{*,x}")


def plain(pattern: str, path: str) -> bool:
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if braces:
        return any(
            plain(pattern[: braces.start()] + choice + pattern[braces.end() :], path) for choice in braces[1].split(",")
        )
    return _parts(pattern.split("/"), path.split("/"))


def _parts(pattern: list[str], path: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(path)
        return any(_parts(pattern[1:], path[skip:]) for skip in range(len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and _parts(pattern[1:], path[1:])


@given(PATTERN, st.lists(PATHS, max_size=20, unique=True))
def test_an_index_finds_what_the_plain_matcher_finds_in_order(pattern, paths):
    expected = sorted(path for path in paths if plain(pattern, path))

    assert list(PathIndex(paths).glob(pattern)) == expected
    assert [path for path in sorted(paths) if compiled(pattern).matches(path)] == expected


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("**/*.c", ["a.c", "x/a.c", "x/y/.a.c"], ["a.h", "x/a.cc"]),
        ("src/**", ["src/a", "src/b/c"], ["src", "srcs/a"]),
        ("src/**/*.c", ["src/a.c", "src/x/y/a.c"], ["a.c", "src.c"]),
        ("./src//x.c", ["src/x.c"], ["x.c"]),
        ("a[*]b", ["a*b"], ["axb"]),
        ("a[[]b", ["a[b"], ["ab"]),
        ("*", ["a", ".a"], ["a/b"]),
        ("a.c", ["a.c"], ["abc"]),
        ("x[!a]", ["xb"], ["xa", "x/"]),
    ],
)
def test_examples(pattern, matches, others):
    assert all(compiled(pattern).matches(path) for path in matches)
    assert not any(compiled(pattern).matches(path) for path in others)


@pytest.mark.parametrize(
    "pattern", ["/a", "../a", "a/../b", "a[b", "a{b", "a\\b", "", ".", "~/x", "[b-a]", "{a,b}" * 12, "[a/b]", "a\0b"]
)
def test_a_pattern_that_is_none_is_refused(pattern):
    with pytest.raises(ValueError, match=r"\w"):
        compiled(pattern)


def test_a_path_without_magic_is_looked_up():
    index = PathIndex(["src/a.c"])

    assert compiled("./src/a.c").literal == "src/a.c"
    assert index.glob("src/a.c") == ("src/a.c",)
    assert index.glob("src/b.c") == ()
    assert not has_magic("src/a.c")
    assert index.under("src") == ["src/a.c"]
