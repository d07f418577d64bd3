"""What `-t` answers for other programs: compdb, compdb-targets and graph. Lines of text, as ninja words them. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from coordinator.importers.ninja.edges import Edge
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.manifest import Manifest
from shared.errors import UnknownTarget

# How a compiler is told to read its words from a file.
_READS = ("@", "-f ", "--option-file=")


def compdb(manifest: Manifest, rules: Sequence[str], *, directory: str, expand: bool = False) -> str:
    """`-t compdb [-x] [RULE…]`: the edges of rules, else all, as a JSON compilation database."""
    chosen = [
        edge
        for edge in manifest.edges
        if edge.all_inputs
        for _ in (rule for rule in rules or [edge.rule] if rule == edge.rule)
    ]
    return _database(manifest, chosen, directory, expand=expand)


def compdb_targets(lookup: Lookup, targets: Iterable[str], *, directory: str, expand: bool = False) -> str:
    """`-t compdb-targets [-x] TARGET…`: what targets need, as a JSON compilation database; UnknownTarget."""
    targets = [lookup.target(name) for name in targets]
    for target in targets:
        if target not in lookup.makers:
            raise UnknownTarget(f"'{target}' is not a target (i.e. it is not an output of any `build` statement)")
    chosen = [edge for edge in lookup.order(targets) if edge.all_inputs and not edge.phony]
    return _database(lookup.manifest, chosen, directory, expand=expand)


def _database(manifest: Manifest, edges: Iterable[Edge], directory: str, *, expand: bool) -> str:
    entries = [
        "  {\n"
        f'    "directory": {_string(directory)},\n'
        f'    "command": {_string(expanded(manifest, edge) if expand else manifest.command(edge))},\n'
        f'    "file": {_string(edge.all_inputs[0])},\n'
        f'    "output": {_string(edge.all_outputs[0])}\n'
        "  }"
        for edge in edges
    ]
    return "[" + ",".join("\n" + entry for entry in entries) + "\n]"


def expanded(manifest: Manifest, edge: Edge) -> str:
    """The command of an edge with its response file written out where it is named."""
    command, rspfile = manifest.command(edge), manifest.rspfile(edge)
    place = command.find(rspfile) if rspfile else -1
    for how in _READS:
        if place > 0 and command[:place].endswith(how):
            content = manifest.rspfile_content(edge).replace("\n", " ")
            return command[: place - len(how)] + content + command[place + len(rspfile) :]
    return command


def _string(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def graph(lookup: Lookup, targets: Iterable[str]) -> Iterator[str]:
    """`-t graph`: what targets need, for Graphviz."""
    yield "digraph ninja {"
    yield 'rankdir="LR"'
    yield "node [fontsize=10, shape=box, height=0.25]"
    yield "edge [fontsize=10]"
    numbers: dict[str | int, int] = {}  # of paths, and of edges by their number

    def name(thing: str | int) -> str:
        return f'"{numbers.setdefault(thing, len(numbers)):#x}"'

    seen: set[str | int] = set()
    waiting = list(targets)[::-1]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        label = path.replace("\\", "/").replace('"', '\\"')
        yield f'{name(path)} [label="{label}"]'
        number = lookup.makers.get(path)
        if number is None or number in seen:
            continue
        seen.add(number)
        edge = lookup.edges[number]
        yield from _arrows(edge, number, name)
        waiting += edge.all_inputs[::-1]
    yield "}"


def _arrows(edge: Edge, number: int, name: Callable[[str | int], str]) -> Iterator[str]:
    if len(edge.all_inputs) == 1 and len(edge.all_outputs) == 1:
        yield f'{name(edge.all_inputs[0])} -> {name(edge.all_outputs[0])} [label=" {edge.rule}"]'
        return
    yield f'{name(number)} [label="{edge.rule}", shape=ellipse]'
    for output in edge.all_outputs:
        yield f"{name(number)} -> {name(output)}"
    for path in edge.inputs + edge.implicit:
        yield f"{name(path)} -> {name(number)} [arrowhead=none]"
    for path in edge.order_only:
        yield f"{name(path)} -> {name(number)} [arrowhead=none style=dotted]"
