"""What kind of source a path is: tests, docs, config or plain source."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from shared import hashing
from shared.globs import Glob, compiled
from shared.model.file import Category

# The first that matches counts; what no pattern matches is source.
DEFAULTS: dict[Category, tuple[str, ...]] = {
    "tests": (
        "**/{tests,test,__tests__}/**", "**/test_*.py", "**/conftest.py", "**/*_test.*", "**/*.test.*", "**/*.spec.*",
    ),
    "docs": ("**/*.{md,rst,adoc}", "**/docs/**", "**/{LICENSE,CHANGELOG,AUTHORS}*"),
    "config": (
        "**/package{,-lock}.json", "**/requirements*.{txt,in}", "**/{Makefile,Dockerfile,.gitignore,.editorconfig}",
        "**/*.{toml,yaml,yml,ini,cfg,lock}",
        "**/{tsconfig,.eslintrc}*.json", "**/{CMakeLists.txt,meson.build}", "**/*.cmake",
    ),
}  # fmt: skip


class Categories:
    """Categories by the defaults, each of which the settings may replace."""

    def __init__(self, chosen: Mapping[str, tuple[str, ...]]) -> None:
        self._patterns: dict[Category, tuple[str, ...]] = {}
        # What the settings say of plain source takes paths away from the other categories.
        order: tuple[Category, ...] = ("source", *DEFAULTS)
        for category in order:
            self._patterns[category] = chosen.get(category, DEFAULTS.get(category, ()))
        self.digest = _digest(tuple(self._patterns.items()))

    def of(self, path: str) -> Category:
        """The category of a path."""
        for category, globs in self._globs().items():
            if any(glob.matches(path) for glob in globs):
                return category
        return "source"

    def _globs(self) -> dict[Category, list[Glob]]:
        return _compiled(tuple(self._patterns.items()))


@lru_cache(maxsize=8)
def _compiled(patterns: tuple[tuple[Category, tuple[str, ...]], ...]) -> dict[Category, list[Glob]]:
    # One regex a category is twice as fast as one a pattern.
    return {category: [compiled(f"{{{','.join(globs)}}}")] for category, globs in patterns if globs}


@lru_cache(maxsize=8)
def _digest(patterns: tuple[tuple[Category, tuple[str, ...]], ...]) -> str:
    return hashing.of_value(patterns)
