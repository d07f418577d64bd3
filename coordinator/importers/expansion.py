"""Which jobs the rules make, and what each writes: rules and sources to jobs, before inputs are looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeVar

from coordinator.importers.templates import OF_FILE, ShellTemplate, Template
from shared.errors import GraphError
from shared.globs import PathIndex, compiled
from shared.model.path import written
from shared.model.snapshot import Snapshot
from shared.settings import Rule

RULE = "rule:"
# A path of this form is in its one spelling; asking it is 20 times faster than normalising.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_+][A-Za-z0-9_+.\-]*/)*[A-Za-z0-9_+][A-Za-z0-9_+.\-]*")
_MOST_ROUNDS = 50
_T = TypeVar("_T")


class Job(NamedTuple):
    """A rule applied to one file, to a group of files, or to none (None); `values` fill its templates."""

    rule: CompiledRule
    files: tuple[str, ...] | None
    outputs: tuple[str, ...]
    depfile: str | None
    values: dict[str, str]


class CompiledRule:
    """A rule whose templates have been read; GraphError for a placeholder it cannot use."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.name, self.at = rule, rule.name, rule.at
        if not rule.outputs:
            raise GraphError(f"rule '{rule.name}' has no outputs", at=rule.at, fix='outputs = ["build/{stem}.o"]')
        if rule.group_by and not rule.each:
            raise GraphError(
                f"rule '{rule.name}' has a `group_by` and no `each`", at=rule.at, fix='each = "lessons/**/*.md"'
            )
        if not (rule.command or rule.call):
            raise GraphError(f"rule '{rule.name}' has no command", at=rule.at)
        here: frozenset[str] = OF_FILE | {"in"} if rule.each else frozenset()
        self.outputs = [self._read(text, here) for text in rule.outputs]
        self.depfile = self._read(rule.depfile, here | {"out"}) if rule.depfile else None
        usable = here | {"in", "out", "depfile"} if rule.depfile else here | {"in", "out"}
        words = rule.call or (() if isinstance(rule.command, str) else rule.command)
        self.words = [self._read(word, usable) for word in words]
        self.env = sorted((name, self._read(value, usable)) for name, value in rule.env.items())
        self.shell = (
            self._attempt(lambda: ShellTemplate(str(rule.command), usable)) if isinstance(rule.command, str) else None
        )
        self.reads_in = "in" in (
            self.shell.names if self.shell else {name for word in self.words for name in word.names}
        )

    def _read(self, text: str, usable: frozenset[str]) -> Template:
        return self._attempt(lambda: Template(text, usable))

    def _attempt(self, make: Callable[[], _T]) -> _T:
        try:
            return make()
        except ValueError as error:
            why = str(error)
            fix = (
                "give the rule an `each`"
                if not self.rule.each and any(f"{{{name}}} in" in why for name in OF_FILE)
                else ""
            )
            fix = fix or ("give the rule a `depfile`" if "{depfile} in" in why and not self.rule.depfile else "")
            raise GraphError(
                f"rule '{self.name}' has a placeholder it cannot use", at=self.at, why=why, fix=fix
            ) from error

    def job(self, each: str | None) -> Job:
        """The rule applied to a file."""
        if each is None:
            return self._job(None, {})
        folder, _, name = each.rpartition("/")
        stem, dot, _ = name.rpartition(".")
        stem = stem if dot and stem else name
        path = f"{folder}/{stem}" if folder else stem
        return self._job((each,), {"in": each, "name": name, "stem": stem, "dir": folder or ".", "path": path})

    def jobs(self, files: Sequence[str]) -> list[Job]:
        """The rule applied to each of some files, or to each group of them."""
        if not self.rule.group_by:
            return [self.job(path) for path in files]
        return [self._of_group(folder, tuple(sorted(group))) for folder, group in sorted(self._groups(files).items())]

    def _groups(self, files: Sequence[str]) -> dict[str, list[str]]:
        """Files by the deepest folder above each that `group_by` matches; those without one are left out."""
        glob = self._attempt(lambda: compiled(self.rule.group_by))
        known: dict[str, str] = {"": ""}
        groups: dict[str, list[str]] = {}
        for path in files:
            passed, folder = [], path.rpartition("/")[0]
            while folder not in known and not glob.matches(folder):
                passed.append(folder)
                folder = folder.rpartition("/")[0]
            group = known.setdefault(folder, folder)
            known.update(dict.fromkeys(passed, group))
            if group:
                groups.setdefault(group, []).append(path)
        return groups

    def _of_group(self, path: str, files: tuple[str, ...]) -> Job:
        folder, _, name = path.rpartition("/")
        return self._job(files, {"in": " ".join(files), "name": name, "stem": name, "dir": folder or ".", "path": path})

    def _job(self, files: tuple[str, ...] | None, values: dict[str, str]) -> Job:
        outputs = tuple([self._path(template, values, "output") for template in self.outputs])
        values["out"] = outputs[0] if len(outputs) == 1 else " ".join(outputs)
        depfile = None
        if self.depfile is not None:
            depfile = values["depfile"] = self._path(self.depfile, values, "depfile")
        return Job(self, files, outputs, depfile, values)

    def _path(self, template: Template, values: Mapping[str, str], what: str) -> str:
        path = template.render(values)
        if len(path) < 256 and _PLAIN.fullmatch(path):
            return path
        try:
            return written(path)
        except ValueError as error:
            raise GraphError(
                f"rule '{self.name}' cannot have the {what} {path!r}",
                at=self.at,
                why=str(error),
                fix="name a path inside the project",
            ) from error


def compile_rules(rules: Sequence[Rule], others: Collection[str] = ()) -> dict[str, CompiledRule]:
    """Rules by name, each after the rule whose outputs it is applied to; GraphError for wrong names.

    others: rules of other kinds, whose outputs may be asked for too.
    """
    by_name: dict[str, CompiledRule] = {}
    for rule in rules:
        if rule.name in by_name:
            raise GraphError(
                f"two rules are named '{rule.name}'", at=rule.at, why=f"the other is at {by_name[rule.name].at}"
            )
        by_name[rule.name] = CompiledRule(rule)
    for rule in rules:
        for entry in (rule.each, *rule.inputs):
            if entry.startswith(RULE):
                _known(reference(entry)[0], (*by_name, *others), rule)
    ordered: dict[str, CompiledRule] = {}
    for name in by_name:
        _place(name, by_name, ordered, [])
    return ordered


def _known(name: str, names: Sequence[str], rule: Rule) -> None:
    if name == rule.name:
        raise GraphError(f"rule '{name}' reads its own outputs", at=rule.at, why=f"it names rule:{name}")
    if name not in names:
        import difflib  # noqa: PLC0415 - only for a typo

        close = difflib.get_close_matches(name, names, n=1)
        why = f"rule '{rule.name}' names rule:{name}; there are: {', '.join(names)}"
        raise GraphError(
            f"unknown rule '{name}'", at=rule.at, why=why, fix=f"did you mean rule:{close[0]}?" if close else ""
        )


def _place(name: str, by_name: Mapping[str, CompiledRule], ordered: dict[str, CompiledRule], trail: list[str]) -> None:
    if name in ordered:
        return
    if name in trail:
        why = " needs ".join([*trail[trail.index(name) :], name])
        raise GraphError("the rules form a cycle", at=by_name[name].at, why=why, fix="take one of these out")
    each = by_name[name].rule.each
    if each.startswith(RULE) and (needed := reference(each)[0]) in by_name:
        _place(needed, by_name, ordered, [*trail, name])
    ordered[name] = by_name[name]


def expand(
    rules: Mapping[str, CompiledRule], snapshot: Snapshot, others: Mapping[str, Sequence[str]] = {}
) -> tuple[list[Job], PathIndex]:
    """Every job, and the sources without what the jobs make. others: what rules of other kinds make.

    What an earlier build left in the tree is no source, but it can only be told from one by what the
    rules make of the rest; so this goes round until it comes out the same.
    """
    left_over: frozenset[str] = frozenset()
    for _ in range(_MOST_ROUNDS):
        index = PathIndex(path for path in snapshot.sources if path not in left_over)
        jobs = _jobs(rules, index, others)
        again = snapshot.sources.keys() & {path for job in jobs for path in job.outputs}
        if again == left_over:
            return jobs, index
        before, left_over = left_over, frozenset(again)
    path = min(before ^ left_over)
    raise GraphError(
        f"the rules take {path} for a source and for an output in turn",
        at=next((job.rule.at for job in jobs if path in job.outputs), next(iter(rules.values())).at),
        fix="write outputs to a folder that no `each` looks into",
    )


def _jobs(rules: Mapping[str, CompiledRule], index: PathIndex, others: Mapping[str, Sequence[str]]) -> list[Job]:
    by_rule: dict[str, list[Job]] = {}
    for name, rule in rules.items():
        each = rule.rule.each
        if not each:
            by_rule[name] = [rule.job(None)]
        elif each.startswith(RULE):
            other, pattern = reference(each)
            made = others.get(other) or [path for job in by_rule[other] for path in job.outputs]
            by_rule[name] = rule.jobs(narrowed(made, pattern, rule))
        else:
            by_rule[name] = rule.jobs(_matches(rule, index))
    return [job for jobs in by_rule.values() for job in jobs]


def reference(entry: str) -> tuple[str, str]:
    """The rule that `rule:NAME` or `rule:NAME:PATTERN` names, and the pattern."""
    name, _, pattern = entry[len(RULE) :].partition(":")
    return name, pattern


def narrowed(paths: Sequence[str], pattern: str, rule: CompiledRule) -> Sequence[str]:
    """Those of another rule's outputs that a pattern matches; all without one."""
    if not pattern:
        return paths
    try:
        glob = compiled(pattern)
    except ValueError as error:
        raise GraphError(f"rule '{rule.name}' has a bad pattern '{pattern}'", at=rule.at, why=str(error)) from error
    return [path for path in paths if glob.matches(path)]


def _matches(rule: CompiledRule, index: PathIndex) -> tuple[str, ...]:
    try:
        literal = compiled(rule.rule.each).literal
        # A path, unlike a pattern, must be there: that it is missing is said when inputs are looked at.
        return (literal,) if literal is not None else index.glob(rule.rule.each)
    except ValueError as error:
        raise GraphError(
            f"rule '{rule.name}' has a bad pattern '{rule.rule.each}'", at=rule.at, why=str(error)
        ) from error
