"""Every setting, as frozen values; read once, at the entry points."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import ClassVar, Literal

import msgspec

STORE_PATIENCE = 30.0  # seconds that a store is waited for at most


class StorageSettings(msgspec.Struct, frozen=True):
    """`[storage]`: url is `s3://bucket/prefix` or `file:///path`; empty means the local cache directory alone.

    credentials_file: a file in the form of ~/.aws/credentials, which comes before the usual places.
    """

    url: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    credentials_file: str = ""


class FarmSettings(msgspec.Struct, frozen=True):
    """`[farm]`: broker is `redis://host:port/db`; empty means jobs run in this process."""

    broker: str = ""
    worker_grace: float = 30.0  # seconds without any fitting worker until a build gives up
    broker_patience: float = 60.0  # seconds without the broker, or a store, until a build gives up
    heartbeat: float = 1.0  # seconds between a worker's heartbeats; it counts as lost after five


class Rule(msgspec.Struct, frozen=True):
    """`[[rule]]` as written: a command or a call; keep: where outputs are, `tree` or `store`; `at` is `file:line`."""

    name: str
    command: tuple[str, ...] | str
    outputs: tuple[str, ...]
    each: str = ""
    group_by: str = ""
    inputs: tuple[str, ...] = ()
    depfile: str = ""
    env: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    timeout: float = 0.0
    call: tuple[str, ...] = ()
    keep: str = "tree"
    imports: str = ""
    at: str = ""


class NinjaSettings(msgspec.Struct, frozen=True):
    """`[ninja]`: file is a build.ninja, its folder the one commands run in unless `directory` names another.

    Both are relative to the root. local: rules (names, or globs over them) whose commands run on this machine.
    pass_env: variables of the environment that commands get, and that are part of their keys.
    """

    file: str = ""
    directory: str = ""
    local: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()

    @property
    def cwd(self) -> str:
        """The folder that commands run in, relative to the root; empty for the root itself."""
        folder = posixpath.normpath(self.directory or posixpath.dirname(self.file))
        return "" if folder == "." else folder


class IngestSettings(msgspec.Struct, frozen=True):
    """`[ingest]`: folder of the source, profile of its paths, and patterns that come before it, in their order."""

    source_dir: str = ""
    profile: Literal["part-chapter", "preserve"] = "part-chapter"
    map: dict[str, str] = {}


class HydrateSettings(msgspec.Struct, frozen=True):
    """`[hydrate]`: the folder that files go to, relative to the root; the file in it that says what was reached."""

    output_dir: str = "."
    state_file: str = ".windrow/hydrate.json"


class TestSettings(msgspec.Struct, frozen=True):
    """`[tests]`: paths, critical, unrelated and config are globs; `at` is `file:line:column`.

    roots: folders that modules are imported from, () for `src`, `lib` (where there) and the root itself. reads: glob of
    files to globs of what these read. config: what every test depends on, () for all of the category config. python:
    the interpreter. args: more words for pytest. timeout: seconds, 0 for the default. results: folder of the records.
    gate: whether a failed test keeps the build from committing. shards: so many jobs, 0 for one a test file. coverage:
    the file of the tree that keeps what each test file executed when that was recorded, "" for none.
    """

    __test__: ClassVar[bool] = False  # its name has pytest think otherwise

    paths: tuple[str, ...] = ("**/test_*.py", "**/*_test.py")
    roots: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()
    reads: dict[str, tuple[str, ...]] = {}
    unrelated: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    python: str = "python3"
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    timeout: float = 0.0
    results: str = "build/test-results"
    gate: bool = True
    shards: int = 0
    coverage: str = ""
    at: str = ""


class EmitSettings(msgspec.Struct, frozen=True):
    """`[emit]`: folder that files for other tools are written to after a commit; empty for none."""

    folder: str = ""


class BlueprintSettings(msgspec.Struct, frozen=True):
    """`[blueprint]`: file and inputs are YAML files, folder is where artefacts go; all relative to the root."""

    file: str = ""
    inputs: str = ""
    folder: str = ""


class Settings(msgspec.Struct, frozen=True):
    """What a command runs with, after flags, environment and files were merged.

    root: the project's root (where windrow.toml lies). cache_dir: the local store and caches of this
    user. state_dir: `<root>/.windrow`, unless `state` names another. fingerprint: a pinned toolchain
    fingerprint, else "". folders: those of the root that hold the project; none for all of it.
    """

    root: Path
    project: str
    branch: str
    cache_dir: Path
    storage: StorageSettings = StorageSettings()
    farm: FarmSettings = FarmSettings()
    tools: tuple[str, ...] = ()
    fingerprint: str = ""
    ignore: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = {}
    rules: tuple[Rule, ...] = ()
    ninja: NinjaSettings | None = None
    context_rules: str = ""  # the folder of their sources, relative to the root; empty for a project without
    ingest: IngestSettings = IngestSettings()
    hydrate: HydrateSettings = HydrateSettings()
    tests: TestSettings | None = None
    emit: EmitSettings = EmitSettings()
    blueprint: BlueprintSettings | None = None
    folders: tuple[str, ...] = ()
    state: Path | None = None
    jobs: int = 0  # parallel jobs when they run here; 0 = number of cores
    job_timeout: float = 3600.0  # seconds
    mode: str = "incremental"
    lease: float = 300.0  # seconds without renewal until the build lock counts as abandoned
    keep_revisions: int = 20
    cache_max_bytes: int = 20 << 30
    cache_window: float = 14 * 86400.0  # seconds that a used result is promised to stay

    @property
    def state_dir(self) -> Path:
        """Workspace state: a cache, never the truth."""
        return self.state or self.root / ".windrow"

    @property
    def store_patience(self) -> float:
        """Seconds without an answer from a store until who asked gives up."""
        return min(STORE_PATIENCE, self.farm.broker_patience)
