"""Injected faults: edits of a project's modules, constants and data that a test may notice. All parse."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.impact.packages import TRAPS

_PLAIN = ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set
_OPPOSITE = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.GtE: "<", ast.Gt: "<=", ast.LtE: ">",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
KINDS = ("function", "comparison", "return", "constant", "data")


class Fault(NamedTuple):
    """An edit that breaks something: a file's new text, or a variable's new value (path empty)."""

    kind: str
    path: str
    text: str
    where: str


def injected(tree: Path, folder: str, data: str, seed: int = 1) -> Iterator[Fault]:
    """All faults of a project in a random order, the kinds by turns: a third are no code but constants and data.

    folder: where its modules lie. data: glob of the data files that its tests read; '' where there are none.
    """
    kinds: dict[str, list[Fault]] = {kind: [] for kind in KINDS}
    for path in sorted((tree / folder).rglob("*.py")):
        if "tests" not in path.relative_to(tree / folder).parts:
            for fault in _in_module(path.relative_to(tree).as_posix(), path.read_text()):
                kinds[fault.kind].append(fault)
    for path in sorted(tree.glob(data)) if data else ():
        name = path.relative_to(tree).as_posix()
        kinds["data"].append(Fault("data", name, "", f"{name}: emptied"))
    order = random.Random(seed)
    for some in kinds.values():
        order.shuffle(some)
    while any(kinds.values()):
        for some in kinds.values():
            if some:
                yield some.pop()


def _in_module(name: str, text: str) -> Iterator[Fault]:
    tree = ast.parse(text)
    made = [_raising(name, text, node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    made += [_turned(name, text, node) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    made += [_without(name, text, node) for node in ast.walk(tree) if isinstance(node, ast.Return)]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, _PLAIN)]
    made += [_other(name, text, node) for node in assigned if not ast.unparse(node.targets[0]).startswith("__")]
    for fault in made:
        if fault is not None and fault.text != text and _parses(fault.text):
            yield fault


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _raising(name: str, text: str, node: ast.FunctionDef) -> Fault | None:
    """A function that raises; None for what is never called, like an overload, or has its body beside its name."""
    lines = text.splitlines(keepends=True)
    first = node.body[0]
    at = (getattr(first, "decorator_list", None) or [first])[0].lineno - 1
    beside = text.splitlines()[first.lineno - 1][: first.col_offset].strip()
    if beside or any("overload" in ast.unparse(one) for one in node.decorator_list):
        return None
    lines.insert(at, f"{' ' * first.col_offset}raise RuntimeError('injected')\n")
    return Fault("function", name, "".join(lines), f"{name}:{node.lineno} {node.name}")


def _turned(name: str, text: str, node: ast.Compare) -> Fault | None:
    """A comparison that says the opposite."""
    if len(node.ops) != 1:
        return None
    said = f"{ast.unparse(node.left)} {_OPPOSITE[type(node.ops[0])]} {ast.unparse(node.comparators[0])}"
    return Fault("comparison", name, _replaced(text, node, f"({said})"), f"{name}:{node.lineno} {said}")


def _without(name: str, text: str, node: ast.Return) -> Fault | None:
    """A function that returns nothing."""
    if node.value is None:
        return None
    return Fault("return", name, _replaced(text, node, "return None"), f"{name}:{node.lineno} return None")


def _other(name: str, text: str, node: ast.Assign) -> Fault:
    """A constant of a module that is None."""
    target = ast.unparse(node.targets[0])
    return Fault("constant", name, _replaced(text, node, f"{target} = None"), f"{name}:{node.lineno} {target}")


def _replaced(text: str, node: ast.expr | ast.stmt, by: str) -> str:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    lines = [line.encode() for line in text.splitlines(keepends=True)]  # offsets count bytes
    head, tail = lines[node.lineno - 1][: node.col_offset], lines[node.end_lineno - 1][node.end_col_offset :]
    lines[node.lineno - 1 : node.end_lineno] = [head + by.encode() + tail]
    return b"".join(lines).decode()


def by_hand() -> Iterator[Fault]:
    """What line coverage cannot see: data, constants, the environment, other processes, names put together."""
    yield Fault("data", "src/shop/label.txt", "stale\n", "a data file beside the module")
    yield Fault("data", "tests/data/cases.json", "[[1, 2]]\n", "a data file of the tests")
    prices, tool = TRAPS["src/shop/prices.py"], TRAPS["src/shop/tool.py"]
    yield Fault("constant", "src/shop/prices.py", prices.replace("2, 3", "2, 99"), "a list tests are parametrised with")
    yield Fault("subprocess", "src/shop/tool.py", tool.replace("(5)", "(6)"), "code that runs in another process")
    yield Fault("environment", "", "fancy", "SHOP_MODE=fancy")
    yield Fault("dynamic", "src/shop/plugin_a.py", "NAME = 'b'\n", "a module whose name is put together")
    fixture = TRAPS["tests/conftest.py"].replace("list(RATES)", "[3]")
    yield Fault("fixture", "tests/conftest.py", fixture, "a fixture in conftest.py")
    config = f"{TRAPS['pyproject.toml']}addopts = '-W error::UserWarning'\n"
    yield Fault("config", "pyproject.toml", config, "an option that every test runs with")
