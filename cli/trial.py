"""Trial builds: what CMake's try_compile asks for, by the hundred, while it configures.

Each is of one file in a folder that is thrown away, under a name made up for it: nothing of it could be found again,
and to look at a project, to store and to commit would take many times as long as to compile it. So its commands
run here and now.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cli import render
from cli.ends import ends_well
from cli.first import plainly
from coordinator.importers.ninja.edges import Edge
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.parser import read
from shared.errors import LocalError


def program(arguments: Sequence[str]) -> NoReturn:
    """The console script `windrow-ninja` in such a folder."""
    code = ends_well(lambda: run(Path.cwd(), arguments), arguments)
    render.flush()
    sys.exit(code)


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Build targets, with ninja's plainest flags; the exit code of the command that failed, or 0.

    GraphError as the importer raises it.
    """
    plain = plainly(arguments)
    assert plain is not None, "asked before"
    _, file, _, targets = plain
    verbose, quiet = not {"-v", "--verbose"}.isdisjoint(arguments), "--quiet" in arguments
    manifest = read(folder / file, folder)
    lookup = Lookup(manifest)
    own = {id(edge) for edge in manifest.makers()}
    needed = lookup.order(lookup.targets(list(targets)))
    edges = [edge for edge in needed if not edge.phony and id(edge) not in own]
    for number, edge in enumerate(edges, 1):
        command = manifest.command(edge)
        if not quiet:
            text = command if verbose else manifest.description(edge) or command
            render.out(f"[{number}/{len(edges)}] {text}")
        code, said = _executed(manifest, edge, command, folder)
        if code:
            render.out(f"FAILED: [code={code}] {' '.join(edge.all_outputs)}\n{command}")
        if said:
            render.out(said)
        if code:
            render.out("ninja: build stopped: subcommand failed.")
            return code
    if not edges:
        render.out("ninja: no work to do.")
    return 0


def _executed(manifest: Manifest, edge: Edge, command: str, folder: Path) -> tuple[int, str]:
    """The exit code of an edge's command, and what it printed."""
    rspfile = manifest.rspfile(edge)
    for path in (*edge.all_outputs, *((rspfile,) if rspfile else ())):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    if rspfile:
        (folder / rspfile).write_text(manifest.rspfile_content(edge), "utf-8", "surrogateescape")
    try:
        done = subprocess.run(
            ("/bin/sh", "-c", command),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise LocalError(f"a command cannot be started: {error}", at=edge.at) from error
    said = done.stdout.decode("utf-8", "replace").rstrip("\n")
    return (done.returncode if done.returncode >= 0 else 128 - done.returncode), said
