"""Whether a project is still at rest, and noting down that it is: what a build looks at besides its tree."""

from __future__ import annotations

import os
from collections.abc import Mapping

from coordinator import refnames, rest
from coordinator.project import Project
from coordinator.request import Request
from coordinator.survey import Question, Survey
from shared.settings_keys import LOCAL_FILE, PROJECT_FILE
from shared.settings_load import config_home
from shared.storage.disk_refs import DiskRefs


def at_rest(project: Project, request: Request) -> Mapping[str, object] | None:
    """What to say if the last build's "nothing to do" still holds for this request."""
    if request.targets or request.question.full or request.verify:
        return None
    return rest.holds(str(project.settings.state_dir / rest.FILE), question(project, request.question), project.environ)


def question(project: Project, asked: Question) -> str:
    """What is asked, as far as it is not in files or in the environment."""
    settings = project.settings
    return f"{settings.project} {settings.branch} {settings.storage.url} {settings.ninja} {asked}"


def remember(project: Project, seen: Survey, asked: Question) -> None:
    """Note down that there is nothing to do, if the file system can tell when that ends."""
    settings = project.settings
    refs = project.stores.refs
    base = seen.base
    if asked.targets:
        return  # that other targets have something to do would not be noticed
    if not isinstance(refs, DiskRefs) or base.manifest is None or not base.manifest.rests or seen.plan:
        return
    noted = seen.scan.settled()
    if noted is None:
        return
    seen_all = dict(noted)
    for path in _besides(project, refs):
        seen_all[path] = rest.look(path)
    pointer = refs.read(refnames.pointer(*project.name))
    if pointer is None or pointer.tag != base.tag:
        return  # somebody committed meanwhile
    ninja = settings.ninja
    told = {
        "revision": base.revision,
        "files": len(seen.snapshot.sources) + len(seen.snapshot.outputs),
        "plain": asked == Question() and settings.mode == "incremental",
        "build_file": os.path.realpath(settings.root / ninja.file) if ninja else "",
    }
    names = tuple(sorted({name for rule in settings.rules for name in rule.pass_env}))
    try:
        rest.store(
            str(settings.state_dir / rest.FILE),
            question(project, asked),
            str(settings.root),
            seen_all,
            told,
            names,
            project.environ,
        )
    except OSError:
        # Only time is lost: the next build looks at everything again.
        return


def _besides(project: Project, refs: DiskRefs) -> set[str]:
    """The files outside the tree that a build with nothing to do depends on."""
    settings = project.settings
    paths = {str(settings.root / name) for name in (PROJECT_FILE, LOCAL_FILE)}
    paths.add(str(config_home(project.environ) / "windrow" / "config.toml"))
    paths.add(str(refs.root / refnames.pointer(*project.name)))
    paths.update(project.tool_files())
    if project.imported is not None:
        paths.update(project.imported.beyond.paths())
        folder = settings.root / project.imported.ninja.cwd
        paths.update(str(folder / name) for name in project.imported.manifest.files)
    else:
        # The blobs of the outputs: when one is deleted, its folder changes.
        paths.update(project.blob_folders())
    return paths
