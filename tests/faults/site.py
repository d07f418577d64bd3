"""Site: a project of fifteen small jobs, built by real processes, and the judges of what a fault left behind.

Eight `part`s, four `pair`s, two `half`s, one `whole`. Each job writes a line outside of the tree when it begins,
so executions can be counted, and waits for as long as a file of its name stands among the gates.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from coordinator.commit.base import load as load_base
from coordinator.project import Project
from shared import hashing
from shared.clock import SystemClock
from shared.model.manifest import Manifest
from shared.settings_load import load
from tests.faults.running import Built, Running, words
from tests.faults.witness import Witness, current, faults
from tests.waiting import until

LAUNCHER = Path(__file__).resolve().parents[2] / "windrow.py"
NAME = "site"
PARTS = 8
# Jobs, each with the outputs it reads; a part reads the source of its number.
READS: dict[str, tuple[str, ...]] = {
    **{f"part{n}": () for n in range(PARTS)},
    **{f"pair{n}": (f"part{2 * n}", f"part{2 * n + 1}") for n in range(4)},
    **{f"half{n}": (f"pair{2 * n}", f"pair{2 * n + 1}") for n in range(2)},
    "whole": ("half0", "half1"),
}
JOBS = frozenset(READS)


class Site:
    """`environ` is what its builds are started with; `farm` settings go there."""

    def __init__(
        self, root: Path, environ: Mapping[str, str] = {}, *, tree: Path | None = None, name: str = NAME
    ) -> None:
        self.root, self.tree, self.name = root, tree or root / "tree", name
        self.cache, self.log, self.gates = root / "cache", root / "begun", root / "gates"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "WINDROW_CACHE_DIR": str(self.cache),
            # Where small jobs run, so that what they leave there can be told from that of others.
            "XDG_RUNTIME_DIR": str(root / "memory"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environ,
        }
        self.running: list[Running] = []
        for folder in (self.tree / "src", self.gates, root / "memory"):
            folder.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        self.texts = {n: f"text {n}\n" for n in range(PARTS)}
        for number in range(PARTS):
            self.write(number, self.texts[number])
        self.rules()

    # -- the project ------------------------------------------------------------------------------

    def rules(self, **special: str) -> None:
        """Write the rules; `special` gives a job another command, in which {body} stands for its own."""
        lines = [f'[project]\nname = "{self.name}"\n\n[toolchain]\nfingerprint = "faults"\n']
        for job, reads in READS.items():
            files = [f"out/{read}" for read in reads] or [f"src/{job.removeprefix('part')}.txt"]
            body = f"cat {' '.join(files)} > out/{job}"
            told = special.get(job, "{body}").replace("{body}", body)
            command = f"echo {job} >> {self.log}; while [ -e {self.gates}/{job} ]; do sleep 0.02; done; {told}"
            rule = {"name": job, "inputs": files, "outputs": [f"out/{job}"], "command": command}
            fields = (f"{key} = {json.dumps(value)}" for key, value in rule.items())
            lines.append("\n".join(["[[rule]]", *fields, f"{special.get(job + '_more', '')}", ""]))
        (self.tree / "windrow.toml").write_text("\n".join(lines))

    def write(self, number: int, text: str) -> None:
        """Have a source hold this."""
        self.texts[number] = text
        (self.tree / "src" / f"{number}.txt").write_text(text)

    def edit(self, *numbers: int) -> frozenset[str]:
        """Change some sources; the jobs that must run for it."""
        for number in numbers:
            self.write(number, self.texts[number] + "more\n")
        needed = {f"part{number}" for number in numbers}
        for job, reads in READS.items():
            if needed.intersection(reads):
                needed.add(job)
        return frozenset(needed)

    def expected(self) -> dict[str, bytes]:
        """What every output is to hold, by path, worked out from the sources alone."""
        texts: dict[str, str] = {}
        for job, reads in READS.items():
            texts[job] = "".join(texts[read] for read in reads) or self.texts[int(job.removeprefix("part"))]
        return {f"out/{job}": text.encode() for job, text in texts.items()}

    def outputs(self) -> dict[str, bytes]:
        """What the tree holds."""
        return {f"out/{p.name}": p.read_bytes() for p in sorted((self.tree / "out").glob("*")) if p.is_file()}

    # -- gates ------------------------------------------------------------------------------------

    def hold(self, *jobs: str) -> None:
        """Have these jobs wait once they have begun."""
        for job in jobs:
            (self.gates / job).touch()

    def let_go(self, *jobs: str) -> None:
        """Have them go on; all without an argument."""
        for path in list(self.gates.iterdir()):
            if not jobs or path.name in jobs:
                path.unlink()

    def begun(self) -> list[str]:
        """The jobs that began, in order, as often as they did."""
        return self.log.read_text().split()

    def await_begun(self, job: str, times: int = 1, *, since: int = 0, seconds: float = 20.0) -> None:
        """Wait until a job has begun so often, after the first `since` lines of the log."""
        try:
            until(lambda: self.begun()[since:].count(job) >= times, seconds=seconds, what=f"{job} to begin")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()}") from None

    # -- builds -----------------------------------------------------------------------------------

    def start(self, *words: str, command: str = "build", under: Sequence[str] = (), **environ: str) -> Running:
        """A build that is not waited for."""
        argv = [*under, sys.executable, str(LAUNCHER), command, *words]
        output = self.root / f"output{len(self.running)}"
        running = Running(argv, self.tree, {**self.environ, **environ}, output, self.begun)
        self.running.append(running)
        return running

    def build(self, *words: str, failpoint: str = "", under: Sequence[str] = (), **environ: str) -> Built:
        """Build everything; no build may take longer than running.PATIENCE."""
        if failpoint:
            environ["WINDROW_FAILPOINT"] = failpoint
        return self.start(*words, under=under, **environ).wait()

    def right(self, *words: str, began: int | None = None, tidies: bool = True) -> Built:
        """Build; all must be right afterwards."""
        built = self.build(*words)
        assert built.code == 0, built.output
        if began is not None:
            assert len(built.began) == began, built
        self.is_right(tidies=tidies)
        return built

    def said(self) -> str:
        """What the builds printed, for messages."""
        return "\n---\n".join(running.text()[-1500:] for running in self.running[-2:])

    def end(self) -> None:
        """Leave no process behind, whatever came before."""
        for process in (process for running in self.running for process in running.family()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for running in self.running:
            running.process.wait(10)
        for process in self.mentioning():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    # -- what is stored ---------------------------------------------------------------------------

    def project(self) -> Project:
        """The project, in this process; a new one, so it knows nothing from before."""
        settings = load(self.tree, flags={}, environ=self.environ)
        return Project(settings, environ=self.environ, clock=SystemClock())

    def results(self) -> frozenset[str]:
        """The names of all stored results."""
        return frozenset(self.project().stores.refs.names("results/"))

    def stored(self, known: Collection[str]) -> set[str]:
        """The jobs whose results were stored since `known` was all there was."""
        found: set[str] = set()
        refs = self.project().stores.refs
        for name in self.results().difference(known):
            record = refs.read(name)
            assert record is not None
            result = msgspec.json.decode(record.data)
            found.update(made["path"].removeprefix("out/") for made in result.get("outputs", ()))
        return found

    def revision(self) -> int:
        """The current revision; 0 before the first."""
        pointer = current(self.project().stores, self.name)
        return pointer.revision if pointer else 0

    def manifest(self) -> Manifest:
        """The current manifest."""
        base = load_base(self.project().stores.refs, self.name, "main")
        assert base.manifest is not None, base.problems
        return base.manifest

    # -- judging ----------------------------------------------------------------------------------

    def is_right(self, *, tidies: bool = True) -> None:
        """Tree and revision are those of a clean build, the lock is free, and nothing is left of any build."""
        expected = self.expected()
        assert self.outputs() == expected
        made = {path: artefact.hash for path, artefact in self.manifest().artefacts.items()}
        assert made == {path: hashing.of_bytes(data) for path, data in expected.items()}
        problems = faults(self.project().stores, self.name)
        assert not problems, problems
        assert self.project().lock().current() is None
        self.left_nothing(tidies=tidies)

    def left_nothing(self, *, tidies: bool = True) -> None:
        """No process, temporary file or half-done transaction of a build is left."""
        until(lambda: not self.alive(), what="the end of every process of the build")
        assert not tidies or not self.rubbish(), self.rubbish()

    def alive(self) -> list[str]:
        """Processes that builds left running."""
        left = {p.pid: p for running in self.running if running.over for p in running.family()}
        if not any(not running.over for running in self.running):
            left.update({p.pid: p for p in self.mentioning()})
        return [f"{pid} {' '.join(words(process))}" for pid, process in left.items()]

    def mentioning(self) -> list[psutil.Process]:
        """Processes that name this site in their command line or environment, or work in it."""
        found = []
        for process in psutil.process_iter():
            if process.pid != os.getpid() and any(str(self.root) in word for word in words(process)):
                found.append(process)
        return found

    def shells(self, job: str) -> list[psutil.Process]:
        """The shells that run a job's command just now."""
        return [process for process in self.mentioning() if f"echo {job} >> {self.log};" in " ".join(words(process))]

    def rubbish(self) -> list[str]:
        """Files that only a build under way may have."""
        found = []
        for top in (self.tree, self.cache, self.root / "memory"):
            for path in top.rglob("*"):
                name = path.name
                staged = path.parent.name == "stage" and path.parent.parent.name == ".windrow"
                if (
                    ".tmp." in name
                    or name.endswith(".part")
                    or name == "journal.json"
                    or staged
                    or name.startswith("w-")
                ):
                    found.append(str(path.relative_to(self.root) if path.is_relative_to(self.root) else path))
        return found

    def heals(
        self, *, needed: frozenset[str], known: Collection[str], exact: bool = True, tidies: bool = True
    ) -> Built:
        """The next build runs what is needed and was not stored yet (`known`: what was before), and no more.

        tidies: and leaves no file that only a build under way may have.
        """
        stored = self.stored(known)
        # What a killed build had just started writes its line a moment later, and is no job of the next.
        until(lambda: not self.alive(), what="the end of what the killed build started")
        built = self.right(tidies=tidies)
        again = stored.intersection(built.began)
        assert not again, f"{again} had been stored, and ran again\n{built.output}"
        if exact:
            assert Counter(built.began) == Counter(needed - stored), built.output
        self.right(began=0, tidies=tidies)
        return built

    @contextmanager
    def witness(self) -> Iterator[None]:
        """Have the current revision examined, whole, at every change while the block runs."""
        witness = Witness(self.project().stores, self.name)
        witness.start()
        try:
            yield
        finally:
            witness.stop()
        assert not witness.problems, witness.problems
