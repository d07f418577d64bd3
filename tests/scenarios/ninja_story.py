"""Random projects with a build.ninja, and random edits of them: plain values, so that a failure can be made small."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

SOURCES = ("src/a.txt", "src/b.txt", "src/c d.txt")
UNITS = ("src/u.c", "src/v.c", "src/w.x")
HEADERS = ("inc/h.h", "inc/k.h", "inc/l.h")
GENERATED = "gen/g.h"

# Concatenates its units with what they include, and notes down what it read: $1 output, $2 depfile, $3 what it speaks of, the units.
COMPILER = """\
out=$1 dep=$2 name=$3; shift 3
read_in() {
  while read -r word rest; do
    case $word in
      ?include) rest=${rest#?}; rest=${rest%?}; deps="$deps $rest"; test -f $rest || { echo "$rest: No such file or directory" >&2; exit 1; }; read_in $rest ;;
      fail) echo 'told to fail' >&2; exit 1 ;;
      *) text="$text $word" ;;
    esac
  done < $1
}
deps= text=
for unit; do read_in $unit; done
echo "$text" > $out
echo "$name: $* $deps" > $dep
"""


class Edge(NamedTuple):
    """One edge; numbers are indexes. It reads sources, the outputs of earlier edges, and (if a compile) a unit."""

    kind: str
    sources: tuple[int, ...]
    earlier: tuple[int, ...]
    implicit: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    validations: tuple[int, ...] = ()
    outputs: int = 1
    flag: int = 0
    pool: str = ""
    alias: bool = False
    off: bool = False


class Edit(NamedTuple):
    """A change to the project; what the numbers mean depends on its kind."""

    kind: str
    which: int = 0
    how: int = 0


KINDS = ("cat", "cat", "head", "restat", "rsp", "cc", "cc", "ccdeps", "always")
EDITS = (
    "nothing", "source", "source", "unit", "unit", "header", "header", "touch", "delete output", "alter output", "flag",
    "inputs", "kind", "off", "default", "revert", "revert all", "lose", "fail", "generated",
)  # fmt: skip


def _some(most: int, size: int = 2) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(0, most), max_size=size, unique=True).map(tuple)


EDGE = st.builds(
    Edge,
    kind=st.sampled_from(KINDS),
    sources=_some(2),
    earlier=_some(5),
    implicit=_some(5, 1),
    order=_some(5, 1),
    validations=_some(5, 1),
    outputs=st.integers(1, 3),
    flag=st.integers(0, 5),
    pool=st.sampled_from(("", "", "one", "two")),
    alias=st.booleans(),
    off=st.just(False),
)
EDIT = st.builds(Edit, st.sampled_from(EDITS), st.integers(0, 11), st.integers(0, 5))


class Story(NamedTuple):
    """A project, and what is done to it: a build after each round of edits. below: in a folder beside the sources."""

    edges: tuple[Edge, ...]
    rounds: tuple[tuple[Edit, ...], ...]
    below: bool = False


def stories(rounds: int) -> st.SearchStrategy[Story]:
    return st.builds(
        Story,
        st.lists(EDGE, min_size=2, max_size=6).map(tuple),
        st.lists(st.lists(EDIT, min_size=1, max_size=2).map(tuple), min_size=rounds, max_size=rounds).map(tuple),
        st.booleans(),
    )


class Project:
    """What the files of a story hold at some point of it."""

    def __init__(self, edges: tuple[Edge, ...], *, below: bool = False) -> None:
        self.up, self.down = ("../", "build/") if below else ("", "")
        self.edges = list(edges)
        self.default: int | None = None
        self.texts = {path: f"{path}\n" for path in (*SOURCES, *HEADERS)}
        self.texts |= {path: f'#include "{self.up}{HEADERS[number]}"\n{number}\n' for number, path in enumerate(UNITS)}
        self.lost: set[str] = set()
        self.touched: set[str] = set()
        self.past: list[tuple[list[Edge], dict[str, str]]] = []
        self._number = 0
        self._seen: set[str] = set()

    # -- edits ------------------------------------------------------------------------------------------

    def edit(self, edit: Edit) -> None:
        """Those that concern outputs are the caller's."""
        number, edge = edit.which % len(self.edges), self.edges[edit.which % len(self.edges)]
        self._number += 1
        match edit.kind:
            case "source":
                self.texts[SOURCES[edit.which % 3]] = f"{edit.how % 2} {edit.how}\nsecond {self._number}\n"
            case "unit":
                self.texts[UNITS[edit.which % 3]] = self._unit(edit.how)
            case "generated":
                self.texts[UNITS[edit.which % 3]] = f'#include "{GENERATED}"\nof {edit.how}\n'
            case "header":
                more = f'#include "{self.up}{HEADERS[2]}"\n' if edit.which % 3 < 2 and edit.how % 2 else ""
                self.texts[HEADERS[edit.which % 3]] = f"{more}header {edit.how}\n"
            case "fail":
                self.texts[UNITS[edit.which % 3]] = "fail\n" if edit.how % 2 else "2\n"
            case "touch":
                self.touched.add((*SOURCES, *UNITS, *HEADERS)[edit.which % 9])
            case "flag":
                self.edges[number] = edge._replace(flag=edit.how)
            case "inputs":
                self.edges[number] = edge._replace(sources=tuple({*edge.sources} ^ {edit.how % 3}))
            case "kind":
                self.edges[number] = edge._replace(kind=KINDS[edit.how])
            case "off":
                self.edges[number] = edge._replace(off=not edge.off)
            case "default":
                self.default = number if edit.how % 2 else None
            case "revert" if self.past:
                path = (*SOURCES, *UNITS, *HEADERS)[edit.which % 9]
                self.texts[path] = self.past[edit.how % len(self.past)][1][path]
            case "revert all" if self.past:
                edges, texts = self.past[edit.how % len(self.past)]
                self.edges, self.texts = list(edges), dict(texts)
            case "lose":
                path = (*SOURCES, *UNITS, *HEADERS)[edit.which % 9]
                self.lost = self.lost ^ {path}

    def _unit(self, how: int) -> str:
        included = [path for number, path in enumerate(HEADERS) if how & (1 << number)]
        return "".join(f'#include "{self.up}{path}"\n' for path in included) + f"unit {how}\n"

    def remember(self) -> None:
        self.past.append((list(self.edges), dict(self.texts)))

    # -- as files ---------------------------------------------------------------------------------------

    def files(self) -> dict[str, str]:
        found = {path: text for path, text in self.texts.items() if path not in self.lost}
        return {**found, "cc.sh": COMPILER, f"{self.down}build.ninja": self.manifest()}

    def outputs_of(self, number: int) -> list[str]:
        return [f"out/e{number}/{one}" for one in range(self.edges[number].outputs)]

    def outputs(self) -> list[str]:
        return [path for number, edge in enumerate(self.edges) if not edge.off for path in self.outputs_of(number)]

    def built(self) -> None:
        self._seen = {*self.files(), *self.outputs()}

    def wary(self) -> set[str]:
        """Who may run without a need: what reads by a depfile, and not only C, could find a file that came or went.

        What an edge made that is gone from the build file is such a file, unless the last revision knew it.
        """
        if self._seen == {*self.files(), *self.outputs()}:
            return set()
        return {f"e{number}" for number, edge in enumerate(self.edges) if edge.kind in ("cc", "ccdeps")}

    def always(self) -> bool:
        return any(edge.kind == "always" and not edge.off for edge in self.edges)

    def manifest(self) -> str:
        lines = [_RULES.replace("@UP@", self.up)]
        for number, edge in enumerate(self.edges):
            if not edge.off:
                lines.extend(self._edge(number, edge))
        if self.default is not None and not self.edges[self.default].off:
            lines.append(f"default {self.outputs_of(self.default)[0]}")
        return "\n".join(lines) + "\n"

    def _outs(self, numbers: tuple[int, ...], below: int) -> list[str]:
        return [path for n in numbers if n < below and not self.edges[n].off for path in self.outputs_of(n)]

    def _edge(self, number: int, edge: Edge) -> list[str]:
        outputs = self.outputs_of(number)
        explicit = [self.up + SOURCES[one] for one in edge.sources] + self._outs(edge.earlier, number)
        implicit = [path for path in self._outs(edge.implicit, number) if path not in explicit]
        order = [path for path in self._outs(edge.order, number) if path not in (*explicit, *implicit)]
        checks = self._outs(tuple(n for n in edge.validations if n < number), number)
        compiles = edge.kind in ("cc", "ccdeps")
        if compiles:
            explicit = [self.up + UNITS[(number + edge.flag // 3) % 3]]
            implicit, order = [], [*order, GENERATED]
        read = " ".join(f"'{path}'" for path in (*explicit, *implicit)) or "/dev/null"
        text = f"build {outputs[0]}"
        if outputs[1:]:
            text += f" | {' '.join(outputs[1:])}" if edge.alias else f" {' '.join(outputs[1:])}"
        rule = {"always": "cat", "ccdeps": "cc"}.get(edge.kind, edge.kind)
        text += f": {rule} {' '.join(map(_escaped, explicit))}"
        aliased = f"alias{number}" if edge.alias and implicit else ""
        if edge.kind == "always":
            implicit = [*implicit, "FORCE"]
        if implicit:
            text += f" | {' '.join([aliased] + (['FORCE'] if edge.kind == 'always' else []) if aliased else implicit)}"
        if order:
            text += f" || {' '.join(order)}"
        if checks:
            text += f" |@ {' '.join(checks)}"
        lines = [
            text,
            f"  name = e{number}",
            f"  flag = {edge.flag}",
            f"  read = {read}",
            f"  all = {' '.join(outputs)}",
            f"  one = {outputs[0]}",
        ]
        if edge.pool:
            lines.append(f"  pool = {edge.pool}")
        if edge.kind == "ccdeps":
            lines.append("  deps = gcc")
        if aliased:
            lines.append(f"build {aliased}: phony {' '.join(path for path in implicit if path != 'FORCE')}")
        return lines


def _escaped(path: str) -> str:
    return path.replace(" ", "$ ")


_RULES = f"""\
pool one
  depth = 1
pool two
  depth = 2
rule cat
  command = echo $name >> @LOG@ && for o in $all; do {{ echo $flag; cat $read; }} > $$o; done
  description = CAT $out
rule head
  command = echo $name >> @LOG@ && for o in $all; do cat $read | head -n 1 > $$o; done
rule restat
  command = echo $name >> @LOG@ && for o in $all; do cat $read | head -n 1 > $$o.new; if cmp -s $$o.new $$o; then rm $$o.new; else mv $$o.new $$o; fi; done
  restat = 1
rule rsp
  command = echo $name >> @LOG@ && for o in $all; do cat $name.rsp > $$o; xargs cat < $name.rsp >> $$o; done
  rspfile = $name.rsp
  rspfile_content = $read
rule cc
  command = echo $name >> @LOG@ && sh @UP@cc.sh $name.o $name.d $one $in && for o in $all; do cp $name.o $$o; done && rm $name.o
  depfile = $name.d
rule gen
  command = echo g >> @LOG@ && sed s/a/A/ $in > $out
build {GENERATED}: gen @UP@src/a.txt
build FORCE: phony
"""
