"""Recipes of test files: a TestMap to jobs that run pytest. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec

from coordinator.importers.pytests.shards import Shard
from shared.model.graph import Recipe
from shared.model.tests import COVERAGE_RULE, TEST_RULE, TestMap
from shared.settings import TestSettings

PROGRAM = ".windrow-test.py"
_RECORDED = ".coverage"
_TEXT = Path(__file__).with_name("program.py").read_text(encoding="utf-8")


def program() -> str:
    """The program that a test job runs: it calls pytest and writes the record."""
    return _TEXT


def tests_of(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The test files of a command that `recipes` made."""
    return argv[6 : 6 + int(argv[5])]


def recipes(
    settings: TestSettings,
    mapped: TestMap,
    shards: tuple[Shard, ...],
    *,
    roots: tuple[str, ...],
    passed: Mapping[str, str | None],
    tools: str,
    environment: str,
) -> list[Recipe]:
    """One recipe a shard. tools: identity of interpreter and packages; environment: digest of the packages."""
    env = tuple(sorted({**passed, **settings.env}.items()))
    made = []
    for shard in shards:
        files = {path for test in shard.tests for path in mapped.files_for(test)}
        out = f"{settings.results}/{shard.name}.json"
        words = (out, environment, ":".join(root or "." for root in roots), str(len(shard.tests)))
        made.append(
            Recipe(
                id=f"{TEST_RULE}:{shard.name}",
                rule=TEST_RULE,
                argv=(settings.python, PROGRAM, *words, *shard.tests, *settings.args),
                outputs=(out,),
                inputs=tuple(sorted(files)),
                env=env,
                timeout=settings.timeout or None,
                tools=tools,
                at="windrow.toml",
                files=((PROGRAM, _TEXT),),
                description=shlex.join((settings.python, "-m", "pytest", *settings.args, *shard.tests)),
            )
        )
    return made


def recorded_at(settings: TestSettings, test: str) -> str:
    """Where the job that records a test file, or those that a glob means, writes what it executed."""
    return f"{settings.results}/{test}.json{_RECORDED}"


def recordings(made: list[Recipe], everything: frozenset[str]) -> list[Recipe]:
    """The same tests, to run under coverage with all code there is; what they executed stays in the store.

    made: what `recipes` made with a shard for each test.
    """
    return [
        msgspec.structs.replace(
            recipe,
            id=f"{COVERAGE_RULE}:{recipe.id.partition(':')[2]}",
            rule=COVERAGE_RULE,
            argv=(*recipe.argv[:2], "--coverage", f"{recipe.outputs[0]}{_RECORDED}", *recipe.argv[3:]),
            outputs=(f"{recipe.outputs[0]}{_RECORDED}",),
            inputs=tuple(sorted({*recipe.inputs, *everything})),
            stored=True,
        )
        for recipe in made
    ]
