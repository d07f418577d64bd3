"""Workspace: a throw-away project on disk, built in this process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from coordinator import build as building
from coordinator.dispatch.inline import InlinePerformer
from coordinator.project import Performers, Project
from coordinator.report import BuildReport
from coordinator.request import Request
from shared.clock import Clock, SystemClock
from shared.model.manifest import Manifest
from shared.settings_load import load
from tests.fakes.compiler import ToyCompiler
from tests.fakes.observer import RecordingObserver
from tests.fakes.performers import here_only


class Workspace:
    """A tree with a windrow.toml, and a cache directory of its own unless one is given."""

    def __init__(self, root: Path, *, cache: Path | None = None, clock: Clock | None = None) -> None:
        self.root = root
        self.cache = cache or root.parent / f"{root.name}-cache"
        self.clock = clock or SystemClock()
        self.performed: list[str] = []
        self.observer = RecordingObserver()
        self.environ = {"PATH": os.environ["PATH"], "WINDROW_CACHE_DIR": str(self.cache), "HOME": str(root.parent)}
        root.mkdir(parents=True, exist_ok=True)

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def exists(self, path: str) -> bool:
        return (self.root / path).exists()

    def delete(self, path: str) -> None:
        (self.root / path).unlink()

    def wipe_state(self) -> None:
        shutil.rmtree(self.root / ".windrow", ignore_errors=True)

    def project(self) -> Project:
        settings = load(self.root, flags={}, environ=self.environ)
        return Project(settings, environ=self.environ, clock=self.clock, performers=self._performers())

    def _performers(self) -> Performers:
        return here_only(self._performer)

    def _performer(self, project: Project, _commands: int) -> InlinePerformer:
        self.toy = ToyCompiler(project.stores.blobs, project.stores.results)
        return InlinePerformer(self.toy.perform, lambda: None, 2)

    def build(self, **request: object) -> BuildReport:
        self.toy = None
        self.observer = RecordingObserver()
        project = self.project()
        try:
            return building.build(project, msgspec.convert(request, Request, strict=False), self.observer)
        finally:
            self.performed = list(self.toy.performed) if self.toy else []

    def manifest(self) -> Manifest:
        manifest = self.project().load_base().manifest
        assert manifest is not None
        return manifest

    def outputs(self) -> dict[str, bytes]:
        return {path: (self.root / path).read_bytes() for path in self.manifest().artefacts}
