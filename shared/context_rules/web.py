"""How context rules hang together: where each reference leads, and what a rule refers to, directly or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from shared.context_rules.references import Reference, Refused, resolve
from shared.context_rules.rule import ContextRule


class Lead(NamedTuple):
    """Where a reference leads: to a rule (its path below the folder of rules), to another file, or into trouble."""

    reference: Reference
    rule: str = ""
    file: str = ""
    problem: str = ""


class Web:
    """The rules of a project. home: their folder; rules are known by their paths below it."""

    def __init__(self, rules: Iterable[ContextRule], home: str) -> None:
        self.home = home
        self.rules: Mapping[str, ContextRule] = {rule.path: rule for rule in sorted(rules, key=lambda rule: rule.path)}
        self.ids: dict[str, str] = {}
        for path, rule in self.rules.items():
            self.ids.setdefault(rule.id, path)

    def leads(self, path: str) -> Iterator[Lead]:
        """Where each reference of a rule leads."""
        for reference in self.rules[path].references:
            if reference.kind == "import":
                found = self.ids.get(reference.target, "")
                yield Lead(reference, found, problem="" if found else "no rule has this id")
                continue
            try:
                target = resolve(reference, f"{self.home}/{path}")
            except Refused as refused:
                yield Lead(reference, problem=str(refused))
                continue
            if not target:
                continue
            below = target.removeprefix(f"{self.home}/")
            if below != target and below in self.rules:
                yield Lead(reference, rule=below)
            else:
                yield Lead(reference, file=target)

    def direct(self, path: str) -> tuple[str, ...]:
        """The rules that a rule names, itself left out, sorted."""
        return tuple(sorted({lead.rule for lead in self.leads(path)} - {"", path}))

    def reached(self, path: str) -> tuple[str, ...]:
        """The rules that a rule leads to, however far away, itself left out, sorted."""
        seen: set[str] = set()
        waiting = [path]
        while waiting:
            for other in self.direct(waiting.pop()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return tuple(sorted(seen - {path}))

    def cycles(self) -> list[tuple[str, ...]]:
        """Chains of rules that come back to where they began, each group of rules once."""
        edges = {path: self.direct(path) for path in self.rules}
        done: set[str] = set()
        found: list[tuple[str, ...]] = []
        for start in self.rules:
            trail: list[str] = []
            stack: list[Iterator[str]] = [iter((start,))]
            while stack:
                step = next(stack[-1], None)
                if step is None:
                    stack.pop()
                    if trail:
                        done.add(trail.pop())
                elif step in trail:
                    found.append((*trail[trail.index(step) :], step))
                elif step not in done:
                    trail.append(step)
                    stack.append(iter(edges[step]))
        return found
