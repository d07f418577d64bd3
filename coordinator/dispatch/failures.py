"""What a person is shown of a job that failed."""

from __future__ import annotations

from coordinator.dispatch.states import JobRun
from coordinator.progress import Failure
from shared.errors import BlobMissing, Interrupted
from shared.model.action import Action, ActionResult, Log
from shared.model.graph import Recipe
from shared.model.job import JobOutcome
from shared.model.tests import TEST_RULE
from shared.pytest_record import split
from shared.reproduce import describe
from shared.storage.blobs import BlobStore


def failure_of(recipe: Recipe, action: Action, outcome: JobOutcome, blobs: BlobStore) -> Failure:
    """The failure with its command and all it printed, stdout first.

    Interrupted for a command of an imported build that somebody ended by a signal: as with ninja, it is the build that
    is not to go on.
    """
    if outcome.interrupted and recipe.loose:
        raise Interrupted(
            "interrupted",
            at=recipe.at,
            why=f"the command of {recipe.id} was {outcome.message}",
            fix="finished jobs are kept; build again to go on",
        )
    texts = (_text(log, blobs) for log in (outcome.stdout, outcome.stderr))
    output, record = split("\n".join(text for text in texts if text))
    return Failure(
        job=recipe.id,
        rule=recipe.rule,
        exit_code=outcome.exit_code,
        message=outcome.message,
        command=recipe.description if recipe.rule == TEST_RULE and recipe.description else describe(action),
        output=output,
        record=record,
        worker=outcome.worker,
        seconds=outcome.seconds,
        at=recipe.at,
    )


def printed(result: ActionResult, blobs: BlobStore) -> str:
    """What a command that succeeded printed, stdout first."""
    return split("\n".join(text for log in (result.stdout, result.stderr) if (text := _text(log, blobs))))[0]


def record_of(result: ActionResult, blobs: BlobStore) -> str:
    """The record that a test job printed when it was run; empty if it printed none."""
    return split(_text(result.stdout, blobs))[1]


def _text(log: Log, blobs: BlobStore) -> str:
    text = log.text
    if log.hash:
        try:
            text = blobs.get(log.hash).decode("utf-8", "replace")
        except BlobMissing:
            text = f"[{log.size} bytes of output could not be read back]"
    return text.rstrip("\n")


def never_stored(run: JobRun, error: BlobMissing) -> BlobMissing:
    """What to say when the store lacks what a job made, however often it was made."""
    return BlobMissing(
        error.hash,
        f"{run.id} was run {run.remakes + 1} times, and what it made was never in the store",
        why=f"last by {run.worker}: {error.what}",
        fix="see that the workers have the [storage] of this build, and that it keeps what is put",
    )
