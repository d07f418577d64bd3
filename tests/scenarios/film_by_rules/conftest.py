"""A film of 17 jobs by declared rules: S2-02 to S2-54 and the table of W3 as far as declared rules go.

Not here: blueprints themselves, edits of artefacts by hand that count as input, and costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.film_by_rules.looks import JOBS
from tests.scenarios.movie_project import MovieProject


@pytest.fixture
def movie(tmp_path: Path) -> MovieProject:
    """Nothing is built yet."""
    return MovieProject(tmp_path / "tree")


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> MovieProject:
    """Built once; nobody changes it."""
    project = MovieProject(tmp_path_factory.mktemp("origin") / "tree")
    assert project.build().executed == JOBS
    return project


@pytest.fixture
def made(origin: MovieProject, movie: MovieProject) -> Iterator[MovieProject]:
    """Rev-0001 is there."""
    movie.broken = origin.broken
    movie.take_over(origin, "movie")
    movie.blueprint(3)
    assert movie.build().status == "no-changes"
    yield movie
    origin.broken.unlink(missing_ok=True)
