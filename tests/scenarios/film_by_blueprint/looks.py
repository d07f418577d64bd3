"""What the tests of the film look at: an artefact, and the ids of all."""

from __future__ import annotations

from tests.scenarios.film import Film

NARRATION = "movie/Narration/segment-1.txt"


def ids(film: Film) -> set[str]:
    """The canonical ids of the artefacts of the revision."""
    return {artefact.id.removeprefix("Artifact:") for artefact in film.manifest().artefacts.values()}
