"""Rules declared in windrow.toml, applied to a tree: settings and snapshot to a BuildGraph. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from coordinator.importers.expansion import RULE, CompiledRule, Job, compile_rules, expand, narrowed, reference
from coordinator.importers.links import Links
from coordinator.importers.outputs import check_outputs
from coordinator.importers.taken import taken
from shared import calls, hashing
from shared.errors import GraphError
from shared.globs import PathIndex, compiled
from shared.model.graph import BuildGraph, Recipe
from shared.model.snapshot import Snapshot
from shared.settings import Rule, Settings

_FEW = 16
_SCHEMA = "windrow-declared/1"
_OWN = ("in", "out", "depfile")  # placeholders for files that are told of elsewhere

Env = tuple[tuple[str, str | None], ...]


def import_rules(
    settings: Settings,
    snapshot: Snapshot,
    *,
    platform: str,
    environ: Mapping[str, str],
    identity: Callable[[Rule], str] = lambda _rule: "",
    reaches: Callable[[str], Collection[str]] = lambda _path: (),
    others: Mapping[str, Sequence[str]] = {},
) -> BuildGraph:
    """The graph of every declared rule; GraphError, with the rule's place, for rules that make none.

    others: what other kinds make, by their rule: to be read by path, or as `rule:NAME`, like what declared rules make.
    identity: what the tools that a rule runs are, so that another rule's tools do not touch its keys. reaches: what a
    file imports, for rules that want to know.
    """
    rules = compile_rules(settings.rules, others)
    passed = _passed(settings, environ)
    jobs, sources = expand(rules, snapshot, others)
    makers = check_outputs(jobs, snapshot)
    made = makers.keys() | {path for paths in others.values() for path in paths}
    importer = _Importer(jobs, sources, made, others, snapshot, passed, identity, reaches)
    recipes = importer.recipes()
    used = {recipe.rule for recipe in recipes}
    idle = [rule for rule in settings.rules if rule.name not in used]
    return BuildGraph(
        recipes,
        platform=platform,
        fingerprint=fingerprint(settings, platform=platform, environ=environ),
        warnings=[
            *(f"{rule.at}: rule '{rule.name}' makes no job: nothing matches {rule.each}" for rule in idle),
            *importer.warnings,
        ],
    )


def fingerprint(settings: Settings, *, platform: str, environ: Mapping[str, str]) -> str:
    """The digest of everything the graph is made from besides the tree."""
    # The rules are in windrow.toml, which is part of the tree; but somebody may have it ignored.
    rules = [msgspec.structs.replace(rule, at="") for rule in settings.rules]
    called = sorted({calls.identity(rule.call[0], at=rule.at) for rule in settings.rules if rule.call})
    return hashing.of_value([_SCHEMA, platform, _passed(settings, environ), rules, called])


def _passed(settings: Settings, environ: Mapping[str, str]) -> dict[str, str | None]:
    """The variables that any rule takes over, by name; None for one that is not set."""
    passed: dict[str, str | None] = {}
    for rule in settings.rules:
        passed.update(taken(rule.pass_env, environ, at=rule.at, whose=f"rule '{rule.name}'"))
    return passed


class _Importer:
    def __init__(
        self,
        jobs: list[Job],
        sources: PathIndex,
        made: Collection[str],
        others: Mapping[str, Sequence[str]],
        snapshot: Snapshot,
        passed: dict[str, str | None],
        identity: Callable[[Rule], str],
        reaches: Callable[[str], Collection[str]],
    ) -> None:
        self.reaches = reaches
        self.jobs, self.sources, self.made, self.passed = jobs, sources, made, passed
        self.identity = identity
        self.left_over = snapshot.outputs
        self.links = Links(snapshot.links, sources, made)
        self.warnings: list[str] = []
        self.made_by: dict[str, list[str]] = {name: list(paths) for name, paths in others.items()}
        for job in jobs:
            self.made_by.setdefault(job.rule.name, []).extend(job.outputs)

    def recipes(self) -> list[Recipe]:
        """One recipe for each job."""
        by_rule: dict[str, list[Job]] = {}
        for job in self.jobs:
            by_rule.setdefault(job.rule.name, []).append(job)
        return [recipe for jobs in by_rule.values() for recipe in self._of_rule(jobs[0].rule, jobs)]

    def _of_rule(self, rule: CompiledRule, jobs: list[Job]) -> list[Recipe]:
        declared = tuple(sorted({path for entry in rule.rule.inputs for path in self._entry(rule, entry)}))
        # Recipes of a rule share this one tuple: there may be thousands of headers, and of recipes.
        given = self._widened(declared, rule.at)
        env = _Environment(rule, self.passed)
        words = _Words(self, rule)
        given_set = frozenset(given)
        tools = calls.identity(rule.rule.call[0], at=rule.at) if rule.rule.call else self.identity(rule.rule)
        recipes: list[Recipe] = []
        for job in jobs:
            own = words.named_in(job, declared)
            if job.files is not None:
                own.update(job.files)
                for path in job.files:
                    if path not in self.sources:
                        own.update(self.literal(rule, path, "each"))
            elif rule.depfile is None or rule.reads_in:
                own.update(declared)
            if rule.rule.imports:
                own.update(self._imported(rule.rule, job))
            inputs = self._widened(own, rule.at)
            if rule.depfile is None and job.files is not None:
                inputs = _with_few(given, inputs)
            candidates = given if rule.depfile is not None and not (job.files is None and rule.reads_in) else ()
            self._refuse_own(job, inputs, given_set)
            recipes.append(
                Recipe(
                    id=f"{rule.name}:{job.outputs[0]}",
                    rule=rule.name,
                    argv=_argv(job, declared),
                    outputs=job.outputs,
                    inputs=inputs,
                    candidates=candidates,
                    env=env.of(job, declared),
                    depfile=job.depfile,
                    timeout=rule.rule.timeout or None,
                    kind=calls.KIND if rule.rule.call else "command",
                    tools=tools,
                    stored=rule.rule.keep == "store",
                    at=rule.at,
                )
            )
        return recipes

    def _imported(self, rule: Rule, job: Job) -> Iterable[str]:
        """What the file that a rule is applied to imports, and the file its function is in."""
        starts = list(job.files or ())
        if rule.call and (place := calls.in_tree(rule.call[0])):
            starts.append(place[0])
        return [path for start in starts for path in self.reaches(start) if path not in job.outputs]

    def _entry(self, rule: CompiledRule, entry: str) -> Iterable[str]:
        if entry.startswith(RULE):
            name, pattern = reference(entry)
            return narrowed(self.made_by.get(name, []), pattern, rule)
        try:
            glob = compiled(entry)
            if glob.literal is not None:
                return self.literal(rule, glob.literal, "inputs")
            found = self.sources.glob(entry)
        except ValueError as error:
            raise GraphError(f"rule '{rule.name}' has a bad pattern '{entry}'", at=rule.at, why=str(error)) from error

        if not found:
            # Patterns are of sources. Whoever thinks of what another rule makes would wait for it in vain.
            makers = [name for name, paths in self.made_by.items() if any(map(glob.matches, paths))]
            self.warnings += [
                f"{rule.at}: rule '{rule.name}' reads {entry}, which matches no source; "
                f"rule:{name}:{entry} stands for what rule '{name}' makes"
                for name in makers
                if name != rule.name
            ]
        return found

    def literal(self, rule: CompiledRule, path: str, key: str) -> Iterable[str]:
        """A path that `key` names, or the files behind it; GraphError when it is not of the project."""
        if path in self.sources or path in self.made:
            return (path,)
        if self.links and (found := self.links.through(path, rule.at)):
            return found
        raise self._missing(rule, path, key)

    def _missing(self, rule: CompiledRule, path: str, key: str) -> GraphError:
        import difflib  # noqa: PLC0415 - only for a typo

        why = f"rule '{rule.name}' names it in `{key}`; no such file is in the tree, and no rule makes it"
        close = difflib.get_close_matches(path, [*self.sources.paths, *self.made], n=1)
        fix = (
            f"did you mean {close[0]}?"
            if close
            else "if the file is there, see whether .gitignore or [scan] ignore hides it"
        )
        if self.sources.under(path):
            why, fix = f"rule '{rule.name}' names it in `{key}`, and it is a folder", f'name its files: "{path}/**"'
        elif path in self.left_over:
            why = f"rule '{rule.name}' names it in `{key}`; an earlier build made it, and no rule makes it any more"
        return GraphError(f"missing input {path}", at=rule.at, why=why, fix=fix)

    def _widened(self, paths: Iterable[str], at: str) -> tuple[str, ...]:
        if not self.links:
            return paths if isinstance(paths, tuple) else tuple(sorted(paths))
        return tuple(sorted(self.links.widen(paths, at)))

    def _refuse_own(self, job: Job, inputs: tuple[str, ...], given: frozenset[str]) -> None:
        for path in job.outputs:
            if path in given or path in (job.files or ()) or _holds(inputs, path):
                raise GraphError(
                    f"rule '{job.rule.name}' reads its own output {path}",
                    at=job.rule.at,
                    why=f"{path} is both among its inputs and among its outputs",
                    fix="write to another path",
                )


class _Words:
    """Finds the files that a command names: a script that nobody declared is an input all the same."""

    def __init__(self, importer: _Importer, rule: CompiledRule) -> None:
        self.importer, self.rule = importer, rule
        words = rule.shell.words if rule.shell else rule.words
        self.varying = [word for word in words if word.names and word.stands_alone not in _OWN]
        self.fixed = frozenset(path for word in words if not word.names for path in self._files(word.render({})))
        if rule.rule.call and (place := calls.in_tree(rule.rule.call[0])):
            self.fixed = self.fixed.union(importer.literal(rule, place[0], "call"))

    def named_in(self, job: Job, declared: tuple[str, ...]) -> set[str]:
        """The sources, and outputs of other jobs, that are words of the command."""
        found = set(self.fixed)
        values = _joined(job, declared) if self.varying else {}
        for word in self.varying:
            found.update(self._files(word.render(values)))
        return found.difference(job.outputs)

    def _files(self, word: str) -> Iterable[str]:
        importer = self.importer
        path = word.removeprefix("./")
        if path in importer.sources or path in importer.made:
            return (path,)
        if importer.links and "/" in path and not path.startswith(("/", "-")) and ".." not in path:
            return importer.links.through(path, self.rule.at)
        return ()


class _Environment:
    """What a rule's jobs find in their environment: the same tuple for all of them if no value varies."""

    def __init__(self, rule: CompiledRule, passed: Mapping[str, str | None]) -> None:
        self.rule = rule
        self.passed = {name: passed[name] for name in rule.rule.pass_env}
        self.varies = any(template.names for _, template in rule.env)
        self.fixed: Env = () if self.varies else self._env({})

    def of(self, job: Job, declared: tuple[str, ...]) -> Env:
        """The variables of a job, sorted by name."""
        return self._env(_joined(job, declared)) if self.varies else self.fixed

    def _env(self, values: Mapping[str, str]) -> Env:
        own = {name: template.render(values) for name, template in self.rule.env}
        return tuple(sorted({**self.passed, **own}.items()))


def _argv(job: Job, declared: tuple[str, ...]) -> tuple[str, ...]:
    rule = job.rule
    primary = job.files if job.files is not None else declared
    if rule.shell is not None:
        values = {name: (value,) for name, value in job.values.items()} | {"in": primary, "out": job.outputs}
        return ("/bin/sh", "-c", rule.shell.render(values))
    texts = _joined(job, declared)
    argv: list[str] = []
    for word in rule.words:
        if word.stands_alone == "in":
            argv.extend(primary)
        elif word.stands_alone == "out":
            argv.extend(job.outputs)
        else:
            argv.append(word.render(texts))
    return tuple(argv)


def _joined(job: Job, declared: tuple[str, ...]) -> Mapping[str, str]:
    return job.values if job.files is not None else {**job.values, "in": " ".join(declared)}


def _with_few(many: tuple[str, ...], few: tuple[str, ...]) -> tuple[str, ...]:
    """Two sorted tuples as one, quickly when one of them is short."""
    if len(few) > _FEW:
        return tuple(sorted({*many, *few}))
    merged = many
    for path in few:
        at = bisect_left(merged, path)
        if merged[at : at + 1] != (path,):
            merged = (*merged[:at], path, *merged[at:])
    return merged


def _holds(paths: tuple[str, ...], path: str) -> bool:
    at = bisect_left(paths, path)
    return paths[at : at + 1] == (path,)
