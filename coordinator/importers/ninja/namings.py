"""The sources that words of a command name although its edge does not. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator

from coordinator.importers.ninja.circumstances import Tree
from coordinator.importers.ninja.places import Places
from shared.errors import GraphError
from shared.leftovers import may_be_left
from shared.model.action import unmarked

# A word that may name a file of the sources: absolute, or on the way up from where it runs; blanks with a backslash.
_WORD = re.compile(r"(?<![^\s'\"=,@])(?:\0/|\.\./)(?:\\.|[^\s'\";,|&<>()\\])+")
# The same where quotes let it hold blanks.
_QUOTED = re.compile(r"(?<=\")(?:\0/|\.\./)[^\" ]* [^\"]*(?=\")|(?<=')(?:\0/|\.\./)[^' ]* [^']*(?=')")
_ESCAPED = re.compile(r"\\(.)")
# A word that may name a file of the folder that the command runs in.
_BARE = re.compile(r"(?<!@)@?([^\s'\";,|&<>()=]+)")
# Where a command goes first: its words are looked for there as well.
_ENTERED = re.compile(r"(?:^|[;&|(]) *cd +([^\s'\"`;&|<>()$\\]+)")


class Namings:
    """Answers for one build file. made: the paths that edges make, be there something left from before or not.

    named: the sources that some edge names as an input.
    """

    def __init__(self, places: Places, tree: Tree, made: Collection[str], named: Collection[str]) -> None:
        self._places, self._tree, self._made, self._named = places, tree, made, named
        below = f"{places.cwd}/" if places.cwd else ""
        # Sources where commands run, as a command names them: many where a project is built in its own folder.
        beside = (path for path in tree.sources if path.startswith(below) and path not in made)
        self._beside = {path[len(below) :]: path for path in beside}

    def programs(self, heads: tuple[str, ...], inputs: tuple[str, ...]) -> tuple[str, ...]:
        """The inputs, and the programs of the project that are run: what they do is what they hold."""
        return _joined(inputs, {path for head in heads if "/" in head and (path := self._source(head))})

    def words(self, command: str, inputs: tuple[str, ...]) -> tuple[str, ...] | None:
        """The inputs, and the sources that the words of a command, with the tree's own path marked, name.

        None if they name what configuring may have written, or an earlier build: to be read, or to be written over.
        """
        found: set[str] = set()
        if "cd " in command:
            found.update(self._elsewhere(command))
        if self._beside:
            found.update(self._beside[word] for word in _BARE.findall(command) if word in self._beside)
        words = _WORD.findall(command)
        if "\\" in command:
            words = [_ESCAPED.sub(r"\1", word) for word in words]
        if '"' in command or "'" in command:
            words += _QUOTED.findall(command)
        found.update(path for word in words if (path := self._source(unmarked(word, self._places.root))))
        found.difference_update(inputs)
        if any(path not in self._named and may_be_left(path, self._places.cwd) for path in found):
            return None
        return _joined(inputs, found)

    def _elsewhere(self, command: str) -> Iterator[str]:
        """The sources that words name from the folders that a command goes to."""
        words, here = set(_BARE.findall(command)), ""
        for folder in _ENTERED.findall(command):
            here = posixpath.join(here, unmarked(folder, self._places.root))
            yield from filter(None, (self._source(posixpath.join(here, word)) for word in words))

    def _source(self, word: str) -> str:
        """The source that a word names; "" for everything else."""
        try:
            path = self._places.of(posixpath.normpath(word))
        except GraphError:
            return ""  # it was but a guess that the word is a path
        return path if path in self._tree.sources and path not in self._made else ""


def _joined(inputs: tuple[str, ...], found: set[str]) -> tuple[str, ...]:
    return inputs if found.issubset(inputs) else tuple(sorted(found.union(inputs)))
