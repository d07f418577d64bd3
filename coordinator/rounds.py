"""Rounds: the dyndep files that a build needs are made first, for they say what else it needs.

See docs/design/ninja-language.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import msgspec

from coordinator.imported.build import ImportedBuild
from coordinator.importers.ninja.edges import Edge
from coordinator.report import BuildReport
from coordinator.request import Request
from shared.errors import GraphError


def in_rounds(imported: ImportedBuild, request: Request, build: Callable[[Request], BuildReport]) -> BuildReport:
    """Build what a request asks for, once all dyndep files on the way are there; one report of it all.

    GraphError when one is not there after all. Whatever else `build` raises.
    """
    rounds = []
    # One that must start from a given revision makes one more of it, not one for each round.
    commit = request.commit and request.base is None
    for files in _rounds(imported, request.targets):
        places = tuple(map(imported.places.of, files))
        report = build(msgspec.structs.replace(request, targets=places, download="all", typed="", commit=commit))
        rounds.append(report)
        if report.status == "failed":
            return _together(rounds)
        folder = imported.settings.root / imported.ninja.cwd
        gone = next((name for name in files if not (folder / name).is_file()), None)
        if gone is not None:
            raise GraphError(
                f"loading '{gone}': No such file or directory",
                why="its edge ran and did not make it; without a dyndep file nobody knows what edges need",
            )
    return _together([*rounds, build(request)])


def _rounds(imported: ImportedBuild, targets: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Dyndep files that edges make and targets need; those of a round need only what those before them tell of."""
    made = imported.made_late
    made.clear()
    while any(name not in made and imported.lookup.maker(name) for name in imported.dyndeps()):
        imported.load_late()
        makers = _makers(imported)
        if not (pending := _pending(imported, makers, _named(imported, targets)) - made):
            return
        needs = {name: _pending(imported, makers, [name]) - made - {name} for name in pending}
        # What waits for itself is told by whoever looks at the graph.
        files = tuple(sorted(name for name, before in needs.items() if not before)) or tuple(sorted(pending))
        yield files
        made.update(files)


def _named(imported: ImportedBuild, targets: Iterable[str]) -> list[str]:
    """Targets of the graph as the build file names them; all there is for one that is no path of it."""
    everything = [path for edge in imported.manifest.edges for path in edge.all_outputs]
    if not targets:
        return list(imported.manifest.defaults) or everything
    spelled = {imported.places.of(path): path for path in everything}
    spelled.update((path, path) for edge in imported.manifest.edges if edge.phony for path in edge.outputs)
    late = {imported.places.of(path): path for late in imported.late.values() for path in late.outputs}
    known = {**late, **spelled}
    names = [known.get(target) for target in targets]
    return everything if None in names else [name for name in names if name is not None]


def _makers(imported: ImportedBuild) -> dict[str, Edge]:
    """What makes each path, as far as the dyndep files that are there tell."""
    makers: dict[str, Edge] = {}
    for edge in imported.manifest.edges:
        makers.update(dict.fromkeys((*edge.all_outputs, *imported.late_outputs(edge)), edge))
    return makers


def _pending(imported: ImportedBuild, makers: Mapping[str, Edge], names: Iterable[str]) -> set[str]:
    """The dyndep files, made by edges, of all edges that these paths need."""
    found, waiting = set(), [*names]
    seen = set(waiting)
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is None:
            continue
        if maker.dyndep and maker.dyndep in makers:
            found.add(maker.dyndep)
        late = imported.late.get(maker.all_outputs[0])
        more = (*maker.all_inputs, *maker.validations, *(late.inputs if late is not None else ()))
        fresh = [path for path in more if path not in seen]
        seen.update(fresh)
        waiting += fresh
    return found


def _together(reports: list[BuildReport]) -> BuildReport:
    """One report of builds that came one after the other; the last one tells how it ended."""
    *before, last = reports
    before = [report for report in before if report.planned]
    if not before:
        return last
    every = [*before, last]
    reused: dict[str, int] = {}
    for report in every:
        for way, count in report.reused.items():
            reused[way] = reused.get(way, 0) + count
    changed = tuple(dict.fromkeys(path for report in every for path in report.changed))
    return msgspec.structs.replace(
        last,
        status="ok" if last.status == "no-changes" else last.status,
        base_revision=before[0].base_revision,
        revision=max(report.revision for report in every),
        planned=sum(report.planned for report in every),
        executed=sum(report.executed for report in every),
        repeated=sum(report.repeated for report in every),
        reused=reused,
        layers=tuple(count for report in every for count in report.layers),
        outputs_written=sum(report.outputs_written for report in every),
        outputs_removed=sum(report.outputs_removed for report in every),
        bytes_up=sum(report.bytes_up for report in every),
        bytes_down=sum(report.bytes_down for report in every),
        saved_seconds=sum(report.saved_seconds for report in every),
        changed=changed,
        made={path: blob for report in every for path, blob in report.made.items()},
        done={job: key for report in every for job, key in report.done.items()},
        reused_jobs=frozenset(job for report in every for job in report.reused_jobs),
    )
