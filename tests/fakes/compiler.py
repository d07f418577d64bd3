"""ToyCompiler: performs jobs of a tiny language in this process, fast enough for thousands of builds.

It keeps a worker's whole contract (fetch by digest, outputs and results stored, trace of what was read,
names asked for), only the command is a function. The language: a line `include NAME` is replaced by the
first of the search folders (the words -Ifolder of the command) that has NAME; all else is copied.
"""

from __future__ import annotations

from shared import hashing
from shared.errors import BlobMissing
from shared.keys import body_of, key_after_run, trace_key
from shared.model.action import ActionResult, Log, Output, Timings, Trace
from shared.model.job import JobOrder, JobOutcome
from shared.storage.blobs import BlobStore
from shared.storage.results import Results


class CompileError(Exception):
    """An include that no search folder has."""


def compile_text(path: str, files: dict[str, str], folders: list[str], read: set[str], asked: set[str]) -> str:
    """The text of a file with its includes put in; what was read and asked for is added to the sets."""
    lines = []
    for line in files[path].splitlines():
        if not line.startswith("include "):
            lines.append(line)
            continue
        name = line.removeprefix("include ")
        asked.add(name)
        found = next((f"{folder}/{name}" for folder in folders if f"{folder}/{name}" in files), None)
        if found is None:
            raise CompileError(f"{name}: No such file")
        if found not in read:
            read.add(found)
            lines.append(compile_text(found, files, folders, read, asked))
    return "\n".join(lines)


def evaluate(argv: tuple[str, ...], files: dict[str, str]) -> tuple[str, set[str], set[str]]:
    """What a command writes, what it read besides its own file, and the names it asked for."""
    program, *words = argv
    flags = [word for word in words if word.startswith("-")]
    own = [word for word in words if not word.startswith("-")]
    if program == "toy-cc":
        read: set[str] = set()
        asked: set[str] = set()
        folders = [flag.removeprefix("-I") for flag in flags if flag.startswith("-I")]
        text = compile_text(own[0], files, folders, read, asked)
        return f"{' '.join(f for f in flags if not f.startswith('-I'))}\n{text}\n", read, asked
    if program == "toy-first-line":
        return files[own[0]].split("\n")[0] + "\n", set(), set()
    assert program == "toy-cat", program
    return f"{' '.join(flags)}\n" + "".join(files[word] for word in sorted(own)), set(), set()


class ToyCompiler:
    """`performed` are the jobs whose command was run, in order."""

    def __init__(self, blobs: BlobStore, results: Results) -> None:
        self.blobs, self.results = blobs, results
        self.performed: list[str] = []

    def perform(self, order: JobOrder) -> JobOutcome:
        action = order.action
        files: dict[str, str] = {}
        missing = []
        for item in action.inputs:
            try:
                files[item.path] = self.blobs.get(item.hash).decode()
            except BlobMissing:
                missing.append(item.hash)
        if missing:
            return JobOutcome(order.job, order.attempt, "missing", missing=tuple(missing))
        if action.depfile is None and not order.no_cache:
            hit = self.results.get(key_after_run(action, None))
            if hit is not None:
                return JobOutcome(order.job, order.attempt, "reused", result=hit.result)
        self.performed.append(order.job)
        try:
            text, read, asked = evaluate(action.argv, files)
        except CompileError as error:
            return JobOutcome(order.job, order.attempt, "failed", exit_code=1, stderr=Log(text=str(error)))
        data = text.encode()
        hash_ = hashing.of_bytes(data)
        self.blobs.put(hash_, data)
        trace = None
        if action.depfile is not None:
            trace = Trace(tuple(sorted(read - set(action.primary))), tuple(sorted(asked)), action.tree)
        outputs = tuple(Output(path, hash_, len(data)) for path in action.outputs)
        result = ActionResult(key_after_run(action, trace), outputs, trace=trace, timings=Timings(run=0.001))
        self.results.put(result, replace=order.no_cache)
        if trace is not None:
            primary = [item for item in action.inputs if item.path in action.primary]
            self.results.add_trace(trace_key(body_of(action), primary), trace)
        return JobOutcome(order.job, order.attempt, "executed", result=result)
