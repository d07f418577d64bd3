"""Tools: what the commands of a project run, found on the path and told apart by what they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import cached_property

from shared import calls, toolchain
from shared.errors import WindrowError
from shared.settings import Rule, Settings
from shared.toolchain import Toolchain

_TOOLCHAINS = "toolchains.json"  # in the cache folder


class Tools:
    """What they are is looked at when first asked for; ToolMissing then, for one that is named and not here.

    path: where they are looked for. programs: those that a build.ninja runs, each combination of one command once; they
    are others when it is made anew. called: the files of a blueprint's calls.
    """

    def __init__(
        self,
        settings: Settings,
        path: str,
        *,
        programs: Callable[[], Collection[tuple[str, ...]]] = tuple,
        called: Callable[[], set[str]] = set,
    ) -> None:
        self._settings, self._path = settings, path
        self._programs, self._called = programs, called
        self._looking: threading.Thread | None = None

    def named(self) -> tuple[str, ...]:
        """The tools whose content is part of every key: those named, and those the rules' commands begin with."""
        settings = self._settings
        named = {*settings.tools, *toolchain.tools_of(settings.rules, self._path)}
        named.update(*map(self._found, self._programs()))
        if settings.tests is not None:
            named.add(settings.tests.python)
        return tuple(sorted(named))

    def _found(self, programs: Iterable[str]) -> set[str]:
        """Those of some programs that are tools of this machine: on the path, or absolute and not of the project."""
        root = f"{self._settings.root}/"
        return {
            name
            for name in programs
            if (name.startswith("/") or "/" not in name)
            and not name.startswith(root)
            and toolchain.which(name, self._path)
        }

    def look_ahead(self) -> None:
        """Begin to take the fingerprints meanwhile, where this machine does not know them yet.

        A first look reads a compiler whole, and that is most of the time until a fresh checkout has a plan.
        """
        cache = self._settings.cache_dir / _TOOLCHAINS
        if self._settings.fingerprint or "found" in vars(self) or self._looking is not None or cache.exists():
            return
        tools = self.named()

        def look() -> None:
            with suppress(WindrowError):  # whoever needs them comes by it again
                toolchain.fingerprint(tools, cache=cache, path=self._path)

        self._looking = threading.Thread(target=look, name="windrow-tools", daemon=True)
        self._looking.start()

    @cached_property
    def found(self) -> Toolchain:
        """The named ones, and what they are; ToolMissing."""
        if self._looking is not None:
            self._looking.join()
        return toolchain.fingerprint(self.named(), cache=self._settings.cache_dir / _TOOLCHAINS, path=self._path)

    def platform(self) -> str:
        """What jobs are routed by: all tools of the project."""
        return self._settings.fingerprint or self.found.fingerprint

    def identity(self, rule: Rule) -> str:
        """What a rule's tools are: those named for the project, and those its command begins with."""
        if self._settings.fingerprint:
            return ""
        return self.found.identity((*self._settings.tools, *toolchain.tools_of((rule,), self._path)))

    def identity_of(self, programs: tuple[str, ...]) -> str:
        """What some programs are: those of them that are tools, and those named for the project."""
        if self._settings.fingerprint:
            return ""
        return self.found.identity((*self._settings.tools, *self._found(programs)))

    def files(self) -> set[str]:
        """The files that the tools are."""
        called = {file for rule in self._settings.rules if rule.call for file in calls.files(rule.call[0])}
        return called.union(self._called(), (tool.path for tool in self.found.tools.values()))

    def sought(self) -> set[str]:
        """What is looked for on the path: tools, what drivers among them run, and programs that may not be there."""
        named = {part for name in self.found.tools for part in name.split(":")}
        return named.union(toolchain.named_by(self._settings.rules), *self._programs())
