"""The trace of a run: what it read and which names it asked for, from what it named and the files it read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

from shared.depfile import Reads
from shared.model.action import ROOT, Action, Input, Trace
from shared.model.path import basename
from workers.execute import probes
from workers.sandbox.broken import Broken

_SPLIT = re.compile(r"[\s'\"=,;:()@]+")


def trace_of(
    action: Action, noted: Reads, prober: probes.Prober, content: Callable[[Input], bytes]
) -> Trace:
    """What a run read that named these paths, in its depfile or otherwise; `content` gives the bytes of an input."""
    given = {item.path: item for item in action.inputs}
    primary = frozenset(action.primary)
    if action.mounts:
        _refuse_strangers(noted.inside - given.keys(), action.mounts)
    used = (noted.inside & given.keys()) | _in_command(action, given, content)
    asked = prober.asked(_files(given, used | primary), lambda path: content(given[path]))
    if asked.unnoted:
        # Only the base name of what the assembler reads is known.
        used |= {path for path in given if basename(path) in asked.unnoted}
    outside = {basename(path) for path in noted.outside} - {"", ".", ".."}
    # A file that it names and was not given: wherever one of the name comes up, it is another run.
    names = asked.names | probes.of_argv(action.argv) | outside | set(map(basename, noted.inside - given.keys()))
    if asked.untold:
        # What is searched for in any language is found under its name. A rule that declares what it may read is held
        # to that; an edge says nothing, and any new file of the project would run it.
        names |= set(map(basename, used | primary)) if action.loose else {probes.ANY}
    return Trace(
        used=tuple(sorted(used - primary)),
        probes=(probes.ANY,) if probes.ANY in names else tuple(sorted(names)),
        tree=action.tree,
        beyond=_beyond(noted.outside, action) if action.tools else (),
    )


def _beyond(written: frozenset[str], action: Action) -> tuple[str, ...]:
    """Absolute paths outside the tree, as far as these can be told from what a depfile names.

    Where the fingerprint of the tools is pinned (an action without `tools`), it stands for such files as well.
    """
    folder = posixpath.join(action.root, action.cwd) if action.root else ""
    named = (path if path.startswith("/") else posixpath.normpath(posixpath.join(folder, path)) for path in written)
    return tuple(sorted({path for path in named if path.startswith("/")}))


def _refuse_strangers(paths: set[str] | frozenset[str], mounts: Sequence[str]) -> None:
    """Broken if a run read a file that lies below the root but in none of the project's folders."""
    for path in sorted(paths):
        if not any(path.startswith(f"{folder}/") for folder in mounts):
            raise Broken(
                f"it read {path}, which lies in no folder of the project ({', '.join(mounts)}); "
                "a windrow.toml in a folder above all of them makes it part of the project"
            )


def _in_command(action: Action, given: dict[str, Input], content: Callable[[Input], bytes]) -> set[str]:
    """Inputs the command line names, or a response file of it: linker scripts, plug-ins, tools; in no depfile."""
    words = [*action.argv, *(text for _, text in action.files)]
    for word in action.argv:
        item = given.get(_placed(word[1:], action.cwd)) if word.startswith("@") else None
        if item is not None and item.mode != "link":
            words.append(content(item).decode("utf-8", "replace"))
    text = "\n".join(words)
    found = {path for path in given if path in text}
    if action.cwd:
        found |= {_placed(word, action.cwd) for word in _SPLIT.split(text)} & given.keys()
    return found


def _placed(word: str, cwd: str) -> str:
    """The path in the tree of a word of a command that runs in one of its folders."""
    if not cwd and not word.startswith(ROOT):
        return word
    return posixpath.normpath(word[len(ROOT) + 1 :] if word.startswith(ROOT) else posixpath.join(cwd, word))


def _files(given: dict[str, Input], paths: set[str] | frozenset[str]) -> list[tuple[str, str]]:
    return [(path, given[path].hash) for path in sorted(paths) if path in given and given[path].mode != "link"]
