"""The blueprint of a project: read once, expanded in a tree, edited where somebody asks for that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from coordinator.importers.blueprint.model import Blueprint, Values
from shared import atomic, calls, canonical, hashing
from shared.errors import ConfigError, GraphError, LocalError, named
from shared.model.file import FileState
from shared.settings import BlueprintSettings, Settings
from shared.version import VERSION

if TYPE_CHECKING:
    from coordinator.importers.blueprint.expansion import Expanded

COMPILED_FILE = "blueprint.msgpack"


class _Compiled(msgspec.Struct, frozen=True):
    """What the two files say, so that a build with nothing to do needs no YAML."""

    digest: str
    blueprint: Blueprint
    values: Values


class ProjectBlueprint:
    """A blueprint in a project. pending: what files of the tree are to hold instead of what they do.

    GraphError, with file and line, when it or the inputs' values make no sense; ConfigError when it is not there.
    """

    def __init__(self, settings: Settings, blueprint: BlueprintSettings, pending: Mapping[str, bytes]) -> None:
        self.settings, self.named, self.pending = settings, blueprint, pending

    @cached_property
    def texts(self) -> tuple[str, str]:
        """The two files' texts: the blueprint, and the values of its inputs (empty without a file for them)."""
        file, inputs = self.named.file, self.named.inputs
        return self._text(file, required=True), self._text(inputs, required=False) if inputs else ""

    def _text(self, name: str, *, required: bool) -> str:
        data = self.pending.get(name)
        if data is None:
            path = self.settings.root / name
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                if required:
                    raise ConfigError(f"{name} is not there", at=str(path), why="[blueprint] file names it") from None
                return ""
            except OSError as error:
                raise named(error, path, "reading") from error
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise GraphError(
                f"{name} is not UTF-8", at=f"{name}:{line}", why=f"byte {data[error.start]:#04x}"
            ) from error

    @cached_property
    def _read(self) -> _Compiled:
        digest = hashing.of_value([VERSION, self.named.file, self.named.inputs, *self.texts])
        path = self.settings.state_dir / COMPILED_FILE
        if (kept := _kept(path, digest)) is not None:
            return kept
        from coordinator.importers.blueprint.reading import read_blueprint, read_values  # noqa: PLC0415 - yaml

        blueprint = read_blueprint(self.texts[0], self.named.file)
        values = read_values(self.texts[1], self.named.inputs or self.named.file, blueprint)
        compiled = _Compiled(digest, blueprint, values)
        if not self.pending:
            _keep(path, compiled)
        return compiled

    @property
    def blueprint(self) -> Blueprint:
        """What the file says."""
        return self._read.blueprint

    @property
    def values(self) -> Values:
        """What the inputs are given."""
        return self._read.values

    def forget(self) -> None:
        """The files hold something else now: read them again."""
        for name in ("texts", "_read"):
            self.__dict__.pop(name, None)

    def with_value(self, name: str, value: object) -> tuple[str, bytes]:
        """The file of the tree that gives an input its value, and what it holds once that is `value`.

        GraphError when there is no such input, or no file to write it to.
        """
        from coordinator.importers.blueprint.rewriting import rewritten  # noqa: PLC0415 - yaml

        declared = self.blueprint.inputs.get(name)
        if declared is None:
            known = ", ".join(self.blueprint.inputs)
            raise GraphError(f"unknown input '{name}'", at=self.named.file, why=f"known are: {known}")
        if declared.file:
            return declared.file, value.encode() if isinstance(value, str) else canonical.encode(value)
        if not self.named.inputs:
            fix = 'inputs = "inputs.yaml"'
            raise GraphError(f"there is no file for the value of '{name}'", at="windrow.toml: [blueprint]", fix=fix)
        return self.named.inputs, rewritten(self.texts[1], self.named.inputs, name, value).encode()

    def identity(self, target: str, at: str) -> str:
        """What a call is, for its key."""
        return calls.identity(target, at=at)

    def files(self) -> tuple[str, ...]:
        """The files of the tree that it is made of, and those that inputs are."""
        own = (self.named.file, self.named.inputs, *(one.file for one in self.blueprint.inputs.values()))
        return tuple(name for name in own if name)

    def digest(self) -> str:
        """The digest of everything its jobs are made from besides the tree."""
        found = sorted({calls.identity(one.call, at=one.at) for one in self.blueprint.producers.values()})
        return hashing.of_value([self.named, *self.texts, found])

    def call_files(self) -> set[str]:
        """The files of this machine that its calls are."""
        return {file for one in self.blueprint.producers.values() for file in calls.files(one.call)}

    def expanded(self, sources: Mapping[str, FileState]) -> Expanded:
        """Its jobs in a tree."""
        from coordinator.importers.blueprint.expansion import expand  # noqa: PLC0415 - not to know that nothing is due

        return expand(self.blueprint, self.values, folder=self.named.folder, sources=sources, identity=self.identity)


def _kept(path: Path, digest: str) -> _Compiled | None:
    try:
        compiled = msgspec.msgpack.decode(path.read_bytes(), type=_Compiled)
    except (OSError, msgspec.MsgspecError):
        return None
    return compiled if compiled.digest == digest else None


def _keep(path: Path, compiled: _Compiled) -> None:
    try:
        atomic.write_atomic(path, msgspec.msgpack.encode(compiled), durable=False)
    except LocalError:
        return  # only time is lost
