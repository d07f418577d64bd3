"""What an importer goes by besides the build file: the tree it is about, and what dyndep files told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Sequence
from typing import NamedTuple


class Tree(NamedTuple):
    """What the importer asks about files.

    sources: of the tree. folders: those of the paths it names that are folders there. outside: the digest of a file
    beyond the tree, "" for none. through: for a path behind a linked folder the links on the way and where it ends,
    else nothing.
    """

    sources: Collection[str]
    folders: Container[str]
    outside: Callable[[str], str]
    through: Callable[[str, str], Sequence[str]] = lambda _path, _at: ()


class Late(NamedTuple):
    """What a dyndep file adds to an edge."""

    outputs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
