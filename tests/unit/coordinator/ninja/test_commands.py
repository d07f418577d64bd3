"""What can be told of a command before it has run: its programs, and how its inputs are found."""

from __future__ import annotations

import pytest

from coordinator.importers.ninja.commands import finds, opens_folders, programs
from shared.model.action import ROOT


@pytest.mark.parametrize(
    ("command", "heads"),
    [
        ("gcc -c a.c -o a.o", ("gcc",)),
        ("/usr/bin/cc -c a.c", ("/usr/bin/cc",)),
        ("cd sub && python3 gen.py > out", ("cd", "python3")),
        (": && ar qc lib.a a.o && ranlib lib.a && :", (":", "ar", "ranlib")),
        ("ccache gcc -c a.c", ("ccache", "gcc")),
        ("/usr/bin/ccache /usr/bin/g++ -c a.c", ("/usr/bin/ccache", "/usr/bin/g++")),
        ("CC=gcc ./configure", ("./configure",)),
        ("env LC_ALL=C sort in", ("sort",)),
        ("nice -n5 env A=1 tool", ("nice",)),
        ("cat in | sed s/a/b/ > out", ("cat", "sed")),
        ("", ()),
        ("echo 'unclosed", ()),
    ],
)
def test_programs_are_the_first_words_and_what_launchers_launch(command: str, heads: tuple[str, ...]) -> None:
    assert set(heads) <= set(programs(command))
    assert len(programs(command)) == len(set(programs(command)))


@pytest.mark.parametrize(
    ("command", "first", "depfile", "how"),
    [
        ("gcc -MD -MF a.d -c a.c -o a.o", "a.c", True, "includes"),
        ("gcc -c a.c -o a.o", "a.c", False, "includes"),
        ("ccache x86_64-linux-gnu-g++-12 -c A.CPP", "A.CPP", False, "includes"),
        ("gcc -c start.S", "start.S", False, "includes"),
        ("mycc -MD -c a.c -o a.o", "a.c", True, "includes"),
        ("moc a.h -o moc_a.cpp --dep-file d", "a.h", True, "tree"),
        ("python3 gen.py in out", "in", False, "tree"),
        ("gcc a.o b.o -o app", "a.o", False, "declared"),
        (": && ar qc lib.a a.o && ranlib lib.a", "a.o", False, "declared"),
        ("cp in out", "in", False, "declared"),
        ("cat *.txt > out", "a.txt", False, "tree"),
        (": && sha256sum a.o b.o > sums && :", "a.o", False, "declared"),
        ("sort -u a | uniq -c | head -c 9 > out", "a", False, "declared"),
        ("sha256sum -c a.sha256 && touch out", "a.sha256", False, "tree"),
        ("md5sum --quiet --check a.md5 > out", "a.md5", False, "tree"),
        ("b2sum -b -wc a > out", "a", False, "tree"),
        ("wc -l --files0-from=names > out", "names", False, "tree"),
        ("cmake -E touch stamp", "", False, "declared"),
        ("cd sub && cmake -E copy a b", "a", False, "declared"),
        ("cmake -P script.cmake", "", False, "tree"),
        ("/usr/bin/meson --internal symbolextractor /tree/build lib.so lib.so lib.so.symbols", "", False, "declared"),
        ("meson --internal exe --unpickle a", "", False, "tree"),
        ("cmake -E touch a && cmake -P b", "", False, "tree"),
        ("cmake -E copy_directory a b", "a", False, "tree"),
        ("", "", False, "tree"),
    ],
)
def test_how_inputs_are_found(command: str, first: str, depfile: bool, how: str) -> None:
    assert finds(command, programs(command), first, depfile=depfile) == how


@pytest.mark.parametrize(
    "command",
    [
        "cp -r ../data out",
        "cp -a data out",
        "cp -v --recursive data out",
        "cc a.o -L../libs -lx",
        f"cc a.o -L{ROOT}/libs -lx",
        "cc a.o -L lib -lx",
    ],
)
def test_a_folder_of_the_tree_that_is_searched_or_copied_is_looked_into(command: str) -> None:
    assert opens_folders(command)


@pytest.mark.parametrize(
    "command", ["cp a b", "cp -f a-r b", "cc a.o -L/usr/lib -lz", "ar qc lib.a a.o", "rm -r x && cp a b", "ld -r a.o"]
)
def test_other_commands_are_not(command: str) -> None:
    assert not opens_folders(command)
