"""What a build file came to in a tree, kept in a file for as long as nothing it is made from changes.

An edit of a file's content leaves every path as it is, and with it every recipe: to make ten thousand of them anew
takes as long as all else a plan needs. Losing the file costs one import, so whatever is wrong with it is no error.
Format: docs/design/ninja-language.md.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import msgspec

from coordinator.importers.ninja.graph import SHELL, Imported
from shared.atomic import write_atomic
from shared.errors import LocalError
from shared.model.graph import Finds, Names, Place, Recipe
from shared.uncollected import uncollected
from shared.version import VERSION

# The number changes whenever the importer makes another recipe of an edge, or the rows below change.
_SCHEMA = f"windrow.graph/9 {VERSION}\n".encode()


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What is asked of a build file before there is a graph. whose: the build files, and where their tree lies.

    programs: of its commands, each combination once. inside, outside: where the inputs lie that no edge makes.
    searched: folders of the tree outside the build folder that compilers look for headers in, or find their sources in.
    besides: the paths of the tree that phony edges name and, by what stands behind them, commands make.
    """

    whose: str
    programs: tuple[tuple[str, ...], ...]
    inside: frozenset[str]
    outside: tuple[str, ...]
    searched: tuple[str, ...]
    besides: frozenset[str]


class _Row(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What differs from recipe to recipe; after and tools: numbers in the tables of _Graph."""

    id: str
    rule: str
    command: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    depfile: str | None
    at: str
    tools: int
    files: tuple[tuple[str, str], ...]
    after: int
    finds: Finds
    place: Place
    pool: str
    always: bool
    outside: tuple[tuple[str, str], ...]
    libraries: tuple[str, ...]
    description: str
    notes: str
    keeps_depfile: bool


class _Common(msgspec.Struct, frozen=True, array_like=True):
    """What all recipes of a build file have in common."""

    env: tuple[tuple[str, str | None], ...] = ()
    root: str = ""
    cwd: str = ""
    mounts: tuple[str, ...] = ()


class _Graph(msgspec.Struct, frozen=True, array_like=True):
    """An Imported."""

    common: _Common
    rows: list[_Row]
    tools: list[str]
    orders: list[tuple[str, ...]]
    names: Names
    headers: tuple[str, ...]
    warnings: tuple[str, ...]


class KeptGraph:
    """One such file. What it holds is read when it is asked for; what it is to hold is written by `save`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: Told | None = None
        self._graph: tuple[str, Imported] | None = None

    def told(self, whose: str) -> Told | None:
        """What is known of these build files."""
        self._told = self._told or self._read[0]
        return self._told if self._told is not None and self._told.whose == whose else None

    def tell(self, told: Told) -> None:
        """Note what the build files say."""
        self._told = told

    def graph(self, key: str) -> Imported | None:
        """What was made from this."""
        if self._graph is not None:
            return self._graph[1] if self._graph[0] == key else None
        data = self._read[1]
        if data is None:
            return None
        try:
            with uncollected():
                # The key comes first: a graph of another is not taken apart.
                if msgspec.msgpack.decode(data[0], type=str) != key:
                    return None
                return _unpacked(msgspec.msgpack.decode(data[1], type=_Graph))
        except (msgspec.MsgspecError, UnicodeDecodeError, IndexError):
            return None

    def keep(self, key: str, imported: Imported) -> None:
        """Note what was made from this."""
        self._graph = key, imported

    def save(self) -> None:
        """Write what was noted; a cache that cannot be written is none."""
        if self._graph is None or self._told is None:
            return
        key, imported = self._graph
        encode = msgspec.msgpack.encode
        try:
            parts = encode(self._told), encode(key), encode(_packed(imported))
            write_atomic(self._path, _SCHEMA + encode(parts), durable=False)
        except (LocalError, UnicodeEncodeError):  # text that is no UTF-8 cannot be kept as text
            return

    @cached_property
    def _read(self) -> tuple[Told | None, tuple[bytes, bytes] | None]:
        try:
            data = memoryview(self._path.read_bytes())
            if data[: len(_SCHEMA)] != _SCHEMA:
                return None, None
            told, key, graph = msgspec.msgpack.decode(data[len(_SCHEMA) :], type=tuple[bytes, bytes, bytes])
            return msgspec.msgpack.decode(told, type=Told), (key, graph)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None, None


def _packed(imported: Imported) -> _Graph:
    tools: dict[str, int] = {}
    orders: dict[tuple[str, ...], int] = {}
    rows = [
        _Row(
            one.id,
            one.rule,
            one.argv[-1],
            one.outputs,
            one.inputs,
            one.depfile,
            one.at,
            tools.setdefault(one.tools, len(tools)),
            one.files,
            orders.setdefault(one.after, len(orders)),
            one.finds,
            one.place,
            one.pool,
            one.always,
            one.outside,
            one.libraries,
            one.description,
            one.notes,
            one.keeps_depfile,
        )
        for one in imported.recipes
    ]
    first = imported.recipes[0] if imported.recipes else None
    common = _Common(first.env, first.root, first.cwd, first.mounts) if first else _Common()
    return _Graph(common, rows, [*tools], [*orders], imported.names, imported.headers, imported.warnings)


def _unpacked(graph: _Graph) -> Imported:
    common, headers = graph.common, graph.headers
    recipes = [
        Recipe(
            id=row.id,
            rule=row.rule,
            argv=(*SHELL, row.command),
            outputs=row.outputs,
            inputs=row.inputs,
            candidates=headers if row.finds == "includes" else (),
            env=common.env,
            depfile=row.depfile,
            tools=graph.tools[row.tools],
            at=row.at,
            root=common.root,
            cwd=common.cwd,
            mounts=common.mounts,
            files=row.files,
            # One tuple for all that say the same: who makes these is asked once.
            after=graph.orders[row.after],
            finds=row.finds,
            place=row.place,
            pool=row.pool,
            loose=True,
            always=row.always,
            outside=row.outside,
            libraries=row.libraries,
            description=row.description,
            notes=row.notes,
            keeps_depfile=row.keeps_depfile,
        )
        for row in graph.rows
    ]
    return Imported(recipes, graph.names, headers, graph.warnings)
