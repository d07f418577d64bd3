"""What `-t` answers of a manifest: targets, commands, inputs, query, rules. Lines as ninja words them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordinator.importers.ninja import text
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.spelling import quoted

# Past as many lines a part of the tree that was shown is not shown again: a tree of 100 libraries has 2^100 lines.
_WHOLE = 100_000


def targets_all(manifest: Manifest) -> Iterator[str]:
    """`-t targets all`: every output with its rule."""
    for edge in manifest.edges:
        for output in edge.all_outputs:
            yield f"{output}: {edge.rule}"


def targets_rule(manifest: Manifest, rule: str) -> list[str]:
    """`-t targets rule NAME`: the outputs of a rule, sorted; for "" every source, as often as it is used."""
    if not rule:
        lookup = Lookup(manifest)
        return [path for edge in manifest.edges for path in edge.all_inputs if path not in lookup.makers]
    return sorted({output for edge in manifest.edges if edge.rule == rule for output in edge.all_outputs})


def targets_depth(lookup: Lookup, depth: int) -> Iterator[str]:
    """`-t targets depth N`: what nothing needs, and what that needs; everything for 0 or less."""
    shown: dict[str, float] = {}
    on_way: set[str] = set()
    count = 0
    deep = float(depth) if depth > 0 else float("inf")
    way = [("", iter(lookup.roots()), deep)]
    while way:
        parent, paths, left = way[-1]
        path = next(paths, None)
        if path is None:
            way.pop()
            on_way.discard(parent)
            continue
        count += 1
        indent = "  " * (len(way) - 1)
        edge = lookup.maker(path)
        if edge is None:
            yield indent + path
            continue
        yield f"{indent}{path}: {edge.rule}"
        if left <= 1 or path in on_way or (count > _WHOLE and shown.get(path, 0) >= left):
            continue
        shown[path] = max(left, shown.get(path, 0))
        on_way.add(path)
        way.append((path, iter(edge.all_inputs), left - 1))


def commands(lookup: Lookup, targets: Iterable[str], *, single: bool = False) -> Iterator[str]:
    """`-t commands [-s]`: what is run for targets, in an order in which it can be; only their own if single."""
    value = lookup.manifest.command
    if single:
        numbers = dict.fromkeys(lookup.makers[target] for target in targets if target in lookup.makers)
        edges = [lookup.edges[number] for number in numbers]
    else:
        edges = lookup.order(targets)
    return (value(edge) for edge in edges if not edge.phony)


def inputs(lookup: Lookup, targets: Iterable[str], *, ordered: bool = False, quote: bool = True) -> list[str]:
    """`-t inputs`: every path that targets need, sorted, or with `ordered` (-d) behind what it needs itself.

    quote: for a shell; -E is without.
    """
    found = [quoted(path) if quote else path for path in _needed(lookup, targets)]
    return found if ordered else sorted(found, key=lambda path: path.encode("utf-8", "surrogateescape"))


def multi_inputs(lookup: Lookup, targets: Iterable[str], *, delimiter: str = "\t") -> Iterator[str]:
    """`-t multi-inputs`: the same for each target by itself, which stands before every line."""
    for target in targets:
        for path in _needed(lookup, [target]):
            yield f"{target}{delimiter}{path}"


def query(lookup: Lookup, targets: Iterable[str]) -> Iterator[str]:
    """`-t query`: what is around each path."""
    for target in targets:
        yield f"{target}:"
        edge = lookup.maker(target)
        if edge is not None:
            yield f"  input: {edge.rule}"
            for mark, paths in (("", edge.inputs), ("| ", edge.implicit), ("|| ", edge.order_only)):
                yield from (f"    {mark}{path}" for path in paths)
            if edge.validations:
                yield "  validations:"
                yield from (f"    {path}" for path in edge.validations)
        yield "  outputs:"
        for user in lookup.users.get(target, ()):
            yield from (f"    {path}" for path in lookup.edges[user].all_outputs)
        if target in lookup.validated:
            yield "  validation for:"
            for user in lookup.validated[target]:
                yield from (f"    {path}" for path in lookup.edges[user].all_outputs)


def rules(manifest: Manifest, *, described: bool = False) -> Iterator[str]:
    """`-t rules [-d]`: the rules of the outermost file, sorted; with their descriptions as written."""
    for name in sorted(manifest.rules):
        description = manifest.rules[name].bindings.get("description", "")
        yield f"{name}: {_unparsed(description)}" if described and description else name


def _unparsed(template: str) -> str:
    literals, names = text.pieces(template)
    return literals[0] + "".join(f"${{{name}}}{literal}" for name, literal in zip(names, literals[1:], strict=True))


def _needed(lookup: Lookup, targets: Iterable[str]) -> Iterator[str]:
    """Every path that targets need, each once and behind what it needs; names of phony edges are left out."""
    seen: set[str] = set()
    way: list[tuple[str, Iterator[str]]] = []
    for target in targets:
        edge = lookup.maker(target)
        way.append(("", iter(edge.all_inputs if edge else ())))
        while way:
            path, paths = way[-1]
            needed = next(paths, None)
            if needed is None:
                way.pop()
                edge = lookup.maker(path)
                if path and not (edge and edge.phony):
                    yield path
            elif needed not in seen:
                seen.add(needed)
                edge = lookup.maker(needed)
                way.append((needed, iter(edge.all_inputs if edge else ())))
