"""Whether a project is still at rest, and noting down that it is: what a build looks at besides its tree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from coordinator import refnames, rest
from coordinator.commit.left import PLACED_FILE
from coordinator.project import Project
from coordinator.request import Question, Request
from coordinator.rest import ABSENT, Seen
from coordinator.scan.statcache import FileSystemNow
from coordinator.survey import Survey
from shared import calls, toolchain
from shared.settings_keys import PROJECT_FILE
from shared.storage.disk_refs import DiskRefs

# Settings are read shortly before there is a project, and the file system's own time may lag by a tick.
_SLACK = 50_000_000  # nanoseconds
_LINKS = 40  # as many in a row as the kernel follows


def at_rest(project: Project, request: Request) -> Mapping[str, object] | None:
    """What to say if the last build's "nothing to do" still holds for this request."""
    if request.question.full or request.verify or request.all_tests:
        return None
    return rest.holds(_file(project, request.question), question(project, request.question), project.environ)


def _file(project: Project, asked: Question) -> str:
    # What was asked for by name last has its own, or it and the build of everything would drive each other out.
    return str(project.settings.state_dir / (rest.NAMED if asked.targets else rest.FILE))


def question(project: Project, asked: Question) -> str:
    """What is asked, as far as it is not in files or in the environment."""
    settings = project.settings
    return f"{settings.project} {settings.branch} {settings.storage.url} {settings.ninja} {settings.blueprint} {asked}"


def remember(project: Project, seen: Survey, asked: Question, *, typed: str = "") -> None:
    """Note down that there is nothing to do, if the file system can tell when that ends; typed: see Request."""
    settings = project.settings
    refs = project.stores.refs
    base = seen.base
    if not isinstance(refs, DiskRefs) or base.manifest is None or seen.plan:
        return
    # Jobs that were left out or always run keep everything from resting; no target that rests needs one of them.
    if seen.placed if asked.targets else not base.manifest.rests:
        return
    noted = seen.scan.settled()
    besides = _besides(project) if noted is not None else None
    if noted is None or besides is None:
        return
    current = refnames.pointer(*project.name)
    besides[str(refs.root / current)] = rest.look(str(refs.root / current))
    if asked.targets:
        placed = str(settings.state_dir / PLACED_FILE)
        if os.path.lexists(placed):
            return  # another build has just put outputs there that no revision has
        besides[placed] = ABSENT
    pointer = refs.read(current)
    if pointer is None or pointer.tag != base.tag:
        return  # somebody committed meanwhile
    ninja = settings.ninja
    told = {
        "revision": base.revision,
        "files": len(seen.snapshot.sources) + len(seen.snapshot.outputs),
        "plain": asked == Question(asked.targets) and settings.mode == "incremental",
        "typed": typed,
        "build_file": os.path.realpath(settings.root / ninja.file) if ninja else "",
        "asks": _asks(project),
    }
    own = settings.tests.pass_env if settings.tests else ()
    imported = ninja.pass_env if ninja else ()
    names = tuple(sorted({*own, *imported, *(name for rule in settings.rules for name in rule.pass_env)}))
    try:
        rest.store(
            _file(project, asked),
            question(project, asked),
            str(settings.root),
            {**noted, **besides},
            told,
            names,
            project.environ,
        )
    except OSError:
        # Only time is lost: the next build looks at everything again.
        return


def _asks(project: Project) -> bool:
    """Whether a command has to tell, before each build, if the build file is up to date."""
    if project.imported is None:
        return False
    from coordinator.imported.regenerate import Regeneration  # noqa: PLC0415 - only for projects with a build.ninja

    return Regeneration(project.imported).asks()


def _besides(project: Project) -> dict[str, Seen] | None:
    """What the file system says of all that a build with nothing to do depends on besides its tree.

    None if any of it changed since the project was opened: it may have been read before that.
    """
    besides: dict[str, Seen] = {}
    now = FileSystemNow(project.settings.state_dir)
    since = int((project.clock.monotonic() - project.opened) * 1e9) + _SLACK
    for path, there in _paths(project):
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            if there:
                return None
            besides[path] = ABSENT
            continue
        if now.racy(status, since=since):
            return None
        besides[path] = status.st_ctime_ns, status.st_ino
    return besides if besides.items() >= project.files.items() else None


def _paths(project: Project) -> Iterator[tuple[str, bool]]:
    """Paths, and whether a build has found something there; symlinks with all they lead to."""
    settings, imported = project.settings, project.imported
    yield from ((path, seen != ABSENT) for path, seen in project.files.items())
    if settings.tests is not None and project.code is not None:
        # A package that is installed or goes changes its folder.
        yield from ((folder, Path(folder).is_dir()) for folder in project.code.interpreter.folders)
    for name in sorted(project.tools.sought()):
        yield from _sought(name, project.environ.get("PATH", ""))
    yield from ((path, True) for path in project.tools.files())
    if project.context is not None:
        yield str(project.context.manifest), True
    if project.context is not None or settings.blueprint is not None or any(rule.call for rule in settings.rules):
        # The versions of the calls that come with Windrow: an upgrade may change what they make.
        yield str(calls.__file__), True
    if settings.blueprint is not None:
        for name in filter(None, (settings.blueprint.file, settings.blueprint.inputs)):
            beside = str(settings.root / name)
            yield from _followed(beside) if os.path.lexists(beside) else ((beside, False),)
    for path, digest in project.beyond.answers().items():
        yield from _followed(path) if digest else ((path, False),)
    if imported is None:
        # The blobs of the outputs: when one is deleted, its folder changes.
        yield from ((path, True) for path in project.blob_folders())
        return
    folder = settings.root / imported.ninja.cwd
    for name in imported.manifest.files:
        yield from _followed(str(folder / name))
    # A project in one of these would be found first.
    yield from ((str(above / PROJECT_FILE), False) for above in (folder, *folder.parents))


def _sought(name: str, path: str) -> Iterator[tuple[str, bool]]:
    """The places where a program is looked for, up to where it is."""
    if "/" in name:
        if name.startswith("/") and os.path.lexists(name):
            yield from _followed(name)
        return
    found = toolchain.which(name, path)
    for folder in path.split(os.pathsep):
        place = f"{folder}/{name}"
        if place == found:
            yield from _followed(place)
            return
        if place.startswith("/"):
            yield place, False


def _followed(path: str) -> Iterator[tuple[str, bool]]:
    """A path, and what its symlinks lead to, one by one: any of them may be changed."""
    for _ in range(_LINKS):
        yield path, True
        try:
            text = os.readlink(path)  # noqa: PTH115 - Path.readlink tidies the text
        except OSError:
            return  # the end of the way
        path = f"{os.path.dirname(path)}/{text}" if not text.startswith("/") else text  # noqa: PTH120 - a text too
