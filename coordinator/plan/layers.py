"""Orders dirty recipes into layers that can run at once, and weighs them by the chain that waits for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared.model.graph import BuildGraph
from shared.model.manifest import Manifest

UNKNOWN_SECONDS = 1.0


def layers_of(graph: BuildGraph, ids: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Jobs whose longest path to a source has the same length, sorted inside; no empty layers."""
    by_depth: dict[int, list[str]] = {}
    for id_ in ids:
        by_depth.setdefault(graph.depth[id_], []).append(id_)
    return tuple(tuple(sorted(by_depth[depth])) for depth in sorted(by_depth))


def expected_seconds(graph: BuildGraph, manifest: Manifest | None, ids: Collection[str]) -> dict[str, float]:
    """Seconds each job took when last run, else the median of its rule, else 0 for unknown."""
    if manifest is None:
        return dict.fromkeys(ids, 0.0)
    samples: dict[str, list[float]] = {}
    for entry in manifest.jobs.values():
        if entry.seconds:
            samples.setdefault(entry.rule, []).append(entry.seconds)
    typical = {rule: sorted(values)[len(values) // 2] for rule, values in samples.items()}
    expected: dict[str, float] = {}
    for id_ in ids:
        known = manifest.jobs.get(id_)
        expected[id_] = (known.seconds if known else 0.0) or typical.get(graph.recipes[id_].rule, 0.0)
    return expected


def priorities(
    graph: BuildGraph, layers: tuple[tuple[str, ...], ...], expected: Mapping[str, float]
) -> dict[str, float]:
    """Job id to the seconds of the longest chain that begins with it."""
    priority: dict[str, float] = {}
    behind: dict[str, float] = {}
    for layer in reversed(layers):
        for id_ in layer:
            priority[id_] = round((expected[id_] or UNKNOWN_SECONDS) + behind.get(id_, 0.0), 6)
            for need in graph.dependencies[id_]:
                if priority[id_] > behind.get(need, 0.0):
                    behind[need] = priority[id_]
    return priority
