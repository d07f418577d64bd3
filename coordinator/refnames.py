"""Where the records of a project and branch are: design/storage.md says what each holds."""

from __future__ import annotations

from shared.model.manifest import revision_name, revision_number


def folder(project: str, branch: str) -> str:
    """`projects/hello/main/`; a slash in a branch is spelled ~1, a tilde ~0."""
    return f"projects/{_flat(project)}/{_flat(branch)}/"


def _flat(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def pointer(project: str, branch: str) -> str:
    """`…/current.json`."""
    return f"{folder(project, branch)}current.json"


def manifests(project: str, branch: str) -> str:
    """The prefix of all manifests."""
    return f"{folder(project, branch)}manifests/"


def manifest(project: str, branch: str, revision: int) -> str:
    """`…/manifests/rev-0001.json`."""
    return f"{manifests(project, branch)}{revision_name(revision)}.json"


def events(project: str, branch: str, revision: int, kind: str) -> str:
    """`…/events/rev-0001.inputs.jsonl`."""
    return f"{folder(project, branch)}events/{revision_name(revision)}.{kind}.jsonl"


def tree(project: str, branch: str, hex_: str) -> str:
    """`…/trees/<64 hex>.json`: which revision holds an ingested state."""
    return f"{folder(project, branch)}trees/{hex_}.json"


def runs(project: str, branch: str) -> str:
    """The prefix of all run records."""
    return f"{folder(project, branch)}runs/"


def run(project: str, branch: str, revision: int, kind: str) -> str:
    """`…/runs/rev-0002-plan.json`."""
    return f"{runs(project, branch)}{revision_name(revision)}-{kind}.json"


def ended(project: str, branch: str, revision: int, began: str, build: str) -> str:
    """`…/runs/rev-0002-20261127T003553978Z-b5b314.json`: of a build that failed; sorted as they began."""
    when = "".join(letter for letter in began if letter.isalnum())
    return f"{runs(project, branch)}{revision_name(revision)}-{when}-{build}.json"


def damaged(project: str, branch: str, name: str) -> str:
    """Where bytes that could not be read are kept for inspection."""
    return f"{folder(project, branch)}damaged/{name}"


def revision_of(name: str) -> int | None:
    """The revision in the last part of a record's name; None when there is none."""
    stem = name.rpartition("/")[2].replace(".", "-").split("-")
    if len(stem) < 2 or stem[0] != "rev":
        return None
    try:
        return revision_number(stem[1])
    except ValueError:
        return None
