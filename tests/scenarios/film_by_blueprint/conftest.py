"""Workload W3, a film made of a blueprint: W3-01 to W3-20 as far as they are the film's own.

What holds for any project is tested on declared rules, in film_by_rules/ and beside the parts; the ids are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.film import JOBS, Film


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Nothing is built yet."""
    return Film(tmp_path / "tree")


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Built once; nobody changes it."""
    project = Film(tmp_path_factory.mktemp("origin") / "tree")
    assert project.build().executed == JOBS
    return project


@pytest.fixture
def made(origin: Film, film: Film) -> Iterator[Film]:
    """Rev-0001 is there."""
    film.take_over(origin, "movie")
    assert film.build().status == "no-changes"
    return film
