"""Traps 53 and 54, and what of the others only a build.ninja can say."""

from __future__ import annotations

from tests.traps.arena import Arena
from tests.traps.projects import SHOUT, STRIP, two_steps
from tests.traps.verdict import Step, Verdict, trap

_BOTH = ("windrow-ninja", "ninja")
_HEAD = "ninja_required_version = 1.5\n"
_STRIP = f"rule strip\n  command = {STRIP.command}\nbuild mid.txt: strip in.txt\n"
_SHOUT = f"rule shout\n  command = {SHOUT.command}\nbuild final.txt: shout mid.txt\n"


@trap(53, only=_BOTH)
def manifest_edited_without_effect(arena: Arena) -> None:
    """A comment in build.ninja, another order of its edges, a variable in between: nothing runs."""
    two_steps(arena)

    arena.manifest(f"# A comment.\n{_HEAD}\n\n{_STRIP}# here\n{_SHOUT}", STRIP, SHOUT)
    arena.right(runs=0)

    arena.manifest(_HEAD + _SHOUT + _STRIP, STRIP, SHOUT)
    arena.right(runs=0)

    arena.manifest(_HEAD + "tool = tr\n" + _SHOUT.replace("tr a-z", "$tool a-z") + _STRIP, STRIP, SHOUT)
    arena.right(runs=0)


@trap(53, only=_BOTH)
def broken_manifest(arena: Arena) -> None:
    """build.ninja is broken for a while: an error that names the line, and no harm done."""
    two_steps(arena)

    for bad, line in (("build final.txt shout\n", ":6"), ("rule\n", ":6"), ("  pool = none\nbuild x: no\n", ":6")):
        arena.manifest(_HEAD + _STRIP + "\n" + bad, STRIP)
        arena.fails(f"build.ninja{line}", code=2)

    arena.rules(STRIP, SHOUT)
    arena.right(runs=0)


_GENERATED = """\
rule generate
  command = sh generate.sh
  generator = 1
build build.ninja: generate list.txt generate.sh
"""
_GENERATOR = """\
{
cat <<'END'
ninja_required_version = 1.5
rule copy
  command = cp $in $out
END
cat self.txt
while read -r name; do echo "build $name.out: copy $name.txt"; done < list.txt
} > build.ninja.new
mv build.ninja.new build.ninja
"""


def _copies(*names: str) -> list[Step]:
    return [Step("copy", f"cp {name}.txt {name}.out", (f"{name}.out",), (f"{name}.txt",)) for name in names]


def _with_generator(arena: Arena) -> None:
    for name in "abc":
        arena.put(f"{name}.txt", f"{name}\n")
    arena.put("self.txt", _GENERATED)
    arena.put("generate.sh", _GENERATOR)
    arena.put("list.txt", "a\nb\n")
    # As configuring leaves it: made by its own edge, and not by the harness, which would write it otherwise.
    arena.manifest(_GENERATED, *_copies("a", "b"))
    arena.age("build.ninja", -(10**9))


@trap(53, only=("windrow-ninja",))
def build_file_that_makes_itself(arena: Arena) -> None:
    """The build file is made by an edge of its own: made anew first, once, and then what it says is built."""
    _with_generator(arena)
    arena.right(runs=2)
    arena.right(runs=0)

    arena.put("list.txt", "a\nb\nc\n")
    arena.steps = tuple(_copies("a", "b", "c"))
    arena.right(runs=1)

    arena.put("list.txt", "c\n")
    arena.steps = tuple(_copies("c"))
    arena.right(runs=0)
    arena.check(not (arena.project / "a.out").exists(), "a.out is still there", Verdict.STALE)


@trap(53, only=("windrow-ninja",))
def build_file_that_cannot_be_made(arena: Arena) -> None:
    """The edge that makes the build file fails: an error that says so, nothing runs; then it works again."""
    _with_generator(arena)
    arena.right(runs=2)

    arena.put("generate.sh", "echo nothing to configure >&2\nexit 4\n")
    arena.put("a.txt", "changed\n")
    built = arena.fails("build.ninja", code=1)
    arena.check(not built.ran, f"ran {built.ran} all the same")

    arena.put("generate.sh", _GENERATOR)
    arena.right(runs=1)


@trap(53, only=("windrow-ninja",))
def build_file_that_never_settles(arena: Arena) -> None:
    """The build file is out of date each time it was made: an error in the end, no endless loop."""
    arena.put("in.txt", "alpha\n")
    arena.put("count.txt", "x\n")
    # What a generator writes before it writes the build file is its own affair; this stays newer than that.
    again = "rule again\n  command = echo more >> count.txt; echo >> build.ninja; touch -d '1 hour' count.txt\n"
    arena.manifest(_HEAD + _STRIP + again + "  generator = 1\nbuild build.ninja: again count.txt\n", STRIP)

    arena.put("count.txt", "y\n")

    built = arena.build()
    if built.code == 0:
        # Only once did it not know how the file had been.
        arena.put("count.txt", "z\n")
        built = arena.build()
    arena.judge_failure(built, "build.ninja")


@trap(54, only=_BOTH)
def phony_names(arena: Arena) -> None:
    """Phony edges in a chain stand for what they name; one without inputs makes its user run each time."""
    arena.put("in.txt", "alpha\n")
    aliases = "build one: phony mid.txt\nbuild two: phony one\n"
    shout = _SHOUT.replace("shout mid.txt", "shout mid.txt | two")
    arena.manifest(_HEAD + _STRIP + aliases + shout, STRIP, SHOUT)
    arena.right(runs=2)
    arena.right(runs=0)

    arena.put("in.txt", "gamma\n")
    arena.right(runs=2)

    arena.manifest(
        _HEAD + _STRIP + aliases + "build FORCE: phony\n" + shout.replace("| two", "| two FORCE"), STRIP, SHOUT
    )
    for _ in range(2):
        built = arena.right(runs=1)
        arena.check(built.ran == ("shout",), f"ran {built.ran}, not shout", Verdict.STALE)


@trap(54, only=_BOTH)
def phony_circle(arena: Arena) -> None:
    """Phony edges lead in a circle: an error that names it."""
    arena.put("in.txt", "alpha\n")
    arena.manifest(
        _HEAD + _STRIP + "build one: phony two\nbuild two: phony one\nbuild all: phony one mid.txt\ndefault all\n",
        STRIP,
    )

    arena.fails("one", "two", code=2)


@trap(54, only=_BOTH)
def validation_that_fails(arena: Arena) -> None:
    """A validation runs along with what names it, and its failure fails the build."""
    arena.put("in.txt", "alpha\n")
    check = Step("check", "grep -q alpha in.txt && touch checked", ("checked",), ("in.txt",))
    rule = f"rule check\n  command = {check.command}\nbuild checked: check in.txt\n"
    arena.manifest(
        _HEAD + rule + _STRIP.replace("strip in.txt", "strip in.txt |@ checked") + "default mid.txt\n", STRIP, check
    )
    arena.right(runs=2)
    arena.right(runs=0)

    arena.put("in.txt", "gamma\n")
    arena.fails("checked", code=1)

    arena.put("in.txt", "gamma alpha\n")
    arena.right(runs=2)


@trap(54, only=_BOTH)
def pool_of_one(arena: Arena) -> None:
    """No more of a pool runs at once than it is deep."""
    arena.put("in.txt", "alpha\n" * 500)
    place = arena.outside / "place"
    names = [f"o{number}" for number in range(6)]
    command = f"mkdir {place} && cat in.txt in.txt > $out && rmdir {place}"
    text = f"pool one\n  depth = 1\nrule alone\n  command = {command}\n  pool = one\n"
    text += "".join(f"build {name}: alone in.txt\n" for name in names)
    arena.manifest(
        _HEAD + text, *(Step("alone", f"cat in.txt in.txt > {name}", (name,), ("in.txt",)) for name in names)
    )

    arena.right(runs=6)


@trap(54, only=_BOTH)
def dyndep_that_changes(arena: Arena) -> None:
    """A dyndep file, made by an edge, adds an input and an output; then it names another input."""
    arena.put("in.txt", "alpha\n")
    arena.put("first", "1\n")
    arena.put("second", "2\n")
    arena.put("which", "first\n")
    scan = (
        "rule scan\n  command = printf 'ninja_dyndep_version = 1\\nbuild final.txt | more: dyndep | %s\\n' `cat which` > $out\n"
        "build dd: scan which\n"
    )
    tell = "rule tell\n  command = cat in.txt `cat which` > final.txt; cp final.txt more\n  dyndep = dd\nbuild final.txt: tell in.txt || dd\n"
    steps = (
        Step(
            "scan",
            "printf 'ninja_dyndep_version = 1\\nbuild final.txt | more: dyndep | %s\\n' `cat which` > dd",
            ("dd",),
            ("which",),
        ),
        Step("tell", "cat in.txt `cat which` > final.txt; cp final.txt more", ("final.txt", "more"), ("in.txt",)),
    )
    arena.manifest(_HEAD + scan + tell, *steps)
    arena.right(runs=2)

    arena.put("second", "not read yet\n")
    arena.right(runs=0)
    arena.put("which", "second\n")
    arena.right(runs=2)
    arena.put("second", "read now\n")
    arena.right(runs=1)
