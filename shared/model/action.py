"""Action, Trace and ActionResult: what could run, what it read, and what came of it.

Formats: docs/design/keys.md.
"""

from __future__ import annotations

import msgspec

from shared.model.file import Mode

# In the texts of an imported command: the absolute path of the tree, which is no part of any key. No real
# command can hold this character.
ROOT = "\0"


def unmarked(text: str, root: str) -> str:
    """A text with the path of the tree in place of the mark; what a path goes on with begins with a slash."""
    return text.replace(ROOT, root.rstrip("/"))


class Input(msgspec.Struct, frozen=True, gc=False, array_like=True, order=True):
    """A file an action is given: path in the tree, digest, size in bytes, kind."""

    path: str
    hash: str
    size: int
    mode: Mode = "file"


class Output(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A file an action made: path in the tree, digest, size in bytes, kind.

    target: what a symlink holds, else empty; the digest is that of this text then, and there is no blob.
    """

    path: str
    hash: str
    size: int
    mode: Mode = "file"
    target: str = ""


class Trace(msgspec.Struct, frozen=True):
    """What a run that wrote a depfile was seen to read.

    used: paths read besides the recipe's own inputs, sorted. probes: base names it asked for, sorted; a
    candidate of one of these names could be read in another's place; `*` means any name.
    tree: the run was given the whole tree, so every source is a candidate.
    listed: folders whose entries it asked for, sorted: what is in them counts, by name.
    beyond: absolute paths outside the tree that the depfile names, sorted.
    """

    used: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    tree: bool = False
    listed: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()


class Action(msgspec.Struct, frozen=True):
    """A command with the exact files it is given, ready to run on any machine of its platform.

    inputs: everything laid out in its directory, sorted by path. primary: the paths among them that
    belong to the key whatever a trace says. extra: those given only because an earlier run read them; they
    count as candidates only if this run reads them too. links: symlink path to target text, for inputs of
    mode link. tree: every source was given. platform: which workers can run it; tools: identity of the tools
    it runs, which its key holds instead of the platform where it is known.

    Commands of an imported build name absolute paths: `ROOT` in argv and files stands for `root`, the absolute
    path of the tree on the coordinating machine; the tree appears there while the command runs (`mounts`: the
    folders of it that do, "" for all). cwd: the folder it runs in. files: texts laid out beside the inputs
    (response files). loose: an output may be left out, and what else is written is an output too. observed:
    what it reads is noticed, and kept in a trace. console: it has this process's own terminal. outside:
    absolute paths beyond the tree that it reads, with their digests. libraries: paths among inputs for which another
    input stands: that they are read is no news. notes: what stands before each path in the lines of its output that
    say what it read, in place of a depfile; "" where none do. keeps_depfile: the depfile is an output too, which may be
    left out; else it is taken in and goes.
    """

    kind: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str | None], ...]
    outputs: tuple[str, ...]
    depfile: str | None
    platform: str
    inputs: tuple[Input, ...]
    primary: tuple[str, ...]
    extra: tuple[str, ...] = ()
    links: dict[str, str] = {}
    tree: bool = False
    tools: str = ""
    root: str = ""
    cwd: str = ""
    mounts: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    loose: bool = False
    observed: bool = False
    outside: tuple[tuple[str, str], ...] = ()
    libraries: tuple[str, ...] = ()
    console: bool = False
    notes: str = ""
    keeps_depfile: bool = False

    @property
    def tells(self) -> bool:
        """Whether it says itself what it read."""
        return self.depfile is not None or self.notes != ""

    @property
    def kept_depfile(self) -> tuple[str, ...]:
        """The path of the depfile, if it stays."""
        return (self.depfile,) if self.keeps_depfile and self.depfile is not None else ()

    @property
    def command(self) -> tuple[str, ...]:
        """The command as it is run where the tree appears at its root."""
        return tuple(unmarked(word, self.root) for word in self.argv)


class Log(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a command printed on one stream: the text itself while short, else a blob; `cut` counts dropped bytes."""

    text: str = ""
    hash: str = ""
    size: int = 0
    cut: int = 0


class Timings(msgspec.Struct, frozen=True, omit_defaults=True):
    """Seconds by phase; only `run` is the command itself."""

    queued: float = 0.0
    fetch: float = 0.0
    run: float = 0.0
    upload: float = 0.0


RESULT_SCHEMA = "windrow.result/1"
TRACES_SCHEMA = "windrow.traces/1"


class ActionResult(msgspec.Struct, frozen=True):
    """What a successful action made; stored under its key, shared by all projects.

    beyond: the state of what its trace has beyond the tree, where it ran; see keys.state_beyond.
    """

    key: str
    outputs: tuple[Output, ...]
    stdout: Log = Log()
    stderr: Log = Log()
    trace: Trace | None = None
    timings: Timings = Timings()
    worker: str = ""
    exit_code: int = 0
    beyond: str = ""
    schema: str = RESULT_SCHEMA


class Traces(msgspec.Struct, frozen=True):
    """The traces known for one trace key, newest first."""

    traces: tuple[Trace, ...]
    schema: str = TRACES_SCHEMA
