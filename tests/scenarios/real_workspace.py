"""RealWorkspace: a throw-away project whose jobs are real commands, built in this process or by the real command."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cli.performers import PERFORMERS
from coordinator import build as building
from coordinator.commit import base as bases
from coordinator.project import Performers
from coordinator.request import Request
from coordinator.survey import Survey
from shared.clock import Clock
from shared.model.manifest import Manifest
from tests.console import Console
from tests.fakes.workspace import Workspace

# Words are counted file by file, in parts that are kept as `keep` says, and the parts put together.
COUNTING = """
[project]
name = "{name}"

[[rule]]
name = "count"
each = "src/*.txt"
command = "wc -w < {{in}} > {{out}}"
outputs = ["made/{{stem}}.count"]
keep = "{keep}"

[[rule]]
name = "total"
inputs = ["rule:count"]
command = "cat {{in}} > {{out}}"
outputs = ["total"]
"""


class RealWorkspace(Workspace):
    """`console` is a shell in the tree. `records` is where the project's pointer, manifests, runs and events lie."""

    def __init__(self, root: Path, *, cache: Path | None = None, clock: Clock | None = None) -> None:
        super().__init__(root, cache=cache, clock=clock)
        self.console = Console(self.root, self.cache)

    def _performers(self) -> Performers:
        return PERFORMERS

    @property
    def records(self) -> Path:
        name, branch = self.project().name
        return self.cache / "store/projects" / name / branch

    @property
    def planned(self) -> int:
        """How many jobs the last build planned."""
        return next((int(count) for what, count in self.observer.order if what == "planned"), 0)

    def jobs(self, how: str) -> set[str]:
        """The jobs of the last build that were executed, cut_off, local, failed or skipped."""
        return {job for what, job in self.observer.order if what == how}

    def look(self, **request: bool) -> Survey:
        """What a build would do now."""
        return building.look(self.project(), Request(**request))  # type: ignore[arg-type]

    def revision(self, number: int) -> Manifest | None:
        project = self.project()
        return bases.read_manifest(project.stores.refs, *project.name, number)

    def take_over(self, origin: RealWorkspace, outputs: str) -> None:
        """Have what another project of the same sources has built, the folder of its outputs too."""
        shutil.copytree(origin.cache, self.cache)
        for folder in (".windrow", outputs):
            shutil.copytree(origin.root / folder, self.root / folder)

    def settle(self) -> None:
        """Build until every file has been known for so long that its times can be relied on."""
        while self.look().snapshot.hashed:
            assert self.build().status == "no-changes"

    def tree(self) -> dict[str, bytes | str]:
        """Every file of the tree but Windrow's own state: its bytes, or where a symlink leads."""
        found: dict[str, bytes | str] = {}
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if name not in (".windrow", ".git")]
            for name in files:
                path = Path(folder, name)
                found[path.relative_to(self.root).as_posix()] = (
                    os.readlink(path) if path.is_symlink() else path.read_bytes()
                )
        return found

    def stored(self) -> dict[str, bytes]:
        """Every file of the store."""
        store = self.cache / "store"
        return {p.relative_to(store).as_posix(): p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file()}
