"""Which path of the tree a text of a build file means."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.importers.ninja.places import Places, outside
from shared.errors import GraphError
from shared.model.action import ROOT, unmarked

BUILD = Places("/home/me/app", "build")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.o", "build/a.o"),
        ("sub/a.o", "build/sub/a.o"),
        ("./a.o", "build/a.o"),
        ("sub//./a.o", "build/sub/a.o"),
        ("sub/../a.o", "build/a.o"),
        ("../src/a.c", "src/a.c"),
        ("..", ""),
        (".", "build"),
        ("/home/me/app", ""),
        ("/home/me/app/src/a b.c", "src/a b.c"),
        ("/home/me/app/../app/x", "x"),
        ("/home/me/apple/x", "/home/me/apple/x"),
        ("/usr/lib/libz.so", "/usr/lib/libz.so"),
        ("../../other/x", "/home/me/other/x"),
        ("/usr/../home/me/app/x", "x"),
        ("ä/ß.c", "build/ä/ß.c"),
    ],
)
def test_a_text_is_a_path_below_the_root_or_an_absolute_one(text: str, path: str) -> None:
    assert BUILD.of(text) == path
    assert BUILD.of(text) == path  # also when it is remembered
    assert outside(path) is path.startswith("/")


def test_of_the_machine_s_own_root_only_the_folders_of_the_project_are_the_tree() -> None:
    places = Places("/", "build", ("build", "src/app"))

    assert [places.of(text) for text in ("x.o", "../src/app/a.c", "/src/app")] == ["build/x.o", "src/app/a.c", "src/app"]
    assert [places.of(text) for text in ("/usr/bin/gcc", "/src/apple", "/src")] == ["/usr/bin/gcc", "/src/apple", "/src"]

    command = "/usr/bin/gcc -I/src/app/include -c /src/app/a.c -o /build/x.o /srcs/ /"
    marked = places.marked(command)
    assert marked == f"/usr/bin/gcc -I{ROOT}/src/app/include -c {ROOT}/src/app/a.c -o {ROOT}/build/x.o /srcs/ /"
    assert unmarked(marked, places.root) == command


def test_in_the_root_itself_paths_are_as_they_are_written() -> None:
    places = Places("/src/", "")

    assert (places.of("a.c"), places.of("./b/../a.c"), places.of("../x")) == ("a.c", "a.c", "/x")


@pytest.mark.parametrize("text", [".windrow/x", "../.git/config", "a\tb", "x" * 256])
def test_what_cannot_be_a_path_is_told_with_its_place(text: str) -> None:
    places = Places("/home/me/app", "build") if text.startswith("..") else Places("/home/me/app", "")

    with pytest.raises(GraphError, match="cannot be a path of the build") as error:
        places.of(text, "build.ninja:7")

    assert error.value.at == "build.ninja:7"


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("cc -I/home/me/app/include -c a.c", f"cc -I{ROOT}/include -c a.c"),
        ("cd /home/me/app && ls", f"cd {ROOT} && ls"),
        ('x="/home/me/app"', f'x="{ROOT}"'),
        ("a:/home/me/app:/b", f"a:{ROOT}:/b"),
        ("-Wl,-rpath,/home/me/app/lib", f"-Wl,-rpath,{ROOT}/lib"),
        ("cc -I/home/me/apple", "cc -I/home/me/apple"),
        ("cc -I/home/me/app-2/x", "cc -I/home/me/app-2/x"),
        ("nothing", "nothing"),
    ],
)
def test_the_root_s_own_path_is_marked_where_it_ends_as_a_component(text: str, marked: str) -> None:
    assert BUILD.marked(text) == marked


@given(
    st.lists(st.sampled_from(["..", ".", "", "a", "b.c", "src", "build"]), min_size=1, max_size=8)
    .map("/".join)
    .filter(lambda text: not text.startswith("//"))
)
def test_every_spelling_leads_where_the_file_system_would(text: str) -> None:
    places = Places("/r", "build")
    full = posixpath.normpath(posixpath.join("/r/build", text))

    expected = "" if full == "/r" else full.removeprefix("/r/") if full.startswith("/r/") else full
    assert places.of(text) == expected
