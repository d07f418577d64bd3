"""The golden manifests of tests/golden/ninja: how a case is written, read and told; and the real ninja beside.

A case is `### name`, then `>>> file` and its text, then `===` and what it means. In texts \\t \\r \\0 \\xff are
those characters and bytes, \\s is a blank, \\\\ a backslash, and a line that ends in \\c has no newline.
A name that ends in "(differs)" is one where Windrow and ninja differ on purpose.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from coordinator.importers.ninja.edges import Edge
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.parser import read
from shared.errors import GraphError

GOLDEN = Path(__file__).parent / "golden/ninja"
NINJA = Path(sys.executable).with_name("ninja")

_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)")
_PLAIN = {b"t": b"\t", b"r": b"\r", b"0": b"\0", b"s": b" ", b"\\": b"\\"}


@dataclass(frozen=True)
class Case:
    """Files by name, and the lines that say what they mean."""

    theme: str
    name: str
    files: tuple[tuple[str, bytes], ...]
    expected: str

    def write(self, folder: Path) -> Path:
        for name, text in self.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text)
        return folder / "build.ninja"

    @property
    def differs(self) -> bool:
        return self.name.endswith("(differs)")


def cases() -> list[Case]:
    return [
        _case(path.stem, text)
        for path in sorted(GOLDEN.glob("*.txt"))
        for text in path.read_text(encoding="utf-8").split("### ")[1:]
    ]


def _case(theme: str, text: str) -> Case:
    said, _, expected = text.partition("===\n")
    name, _, rest = said.partition("\n")
    files = []
    for part in rest.split(">>> ")[1:]:
        file, _, body = part.partition("\n")
        files.append((file, _unescaped(body.encode())))
    return Case(theme, name, tuple(files), expected.strip("\n"))


def _unescaped(body: bytes) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        if found[1][:1] == b"x":
            return bytes.fromhex(found[1][1:].decode())
        return _PLAIN[found[1]]

    return _ESCAPE.sub(one, body.replace(b"\\c\n", b""))


def told(path: Path) -> str:
    """What Windrow makes of a manifest: its edges, or its error, in the words of the golden files."""
    try:
        manifest = read(path)
        lines = [line for edge in manifest.edges for line in _edge(manifest, edge)]
        lines += [f"pool {name} = {depth}" for name, depth in manifest.pools.items() if name != "console"]
        if manifest.defaults:
            lines.append("default " + _paths(manifest.defaults))
        lines += [f"warning {warning}" for warning in manifest.warnings]
        lookup = Lookup(manifest)
        lookup.order([output for edge in manifest.edges for output in edge.all_outputs], validations=True, cycles=False)
    except GraphError as error:
        return f"error {error.at}: {error.what}"
    return "\n".join(lines).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") or "nothing"


def _edge(manifest: Manifest, edge: Edge) -> list[str]:
    parts = [_paths(edge.outputs)]
    parts += [f"| {_paths(edge.implicit_outputs)}"] if edge.implicit_outputs else []
    parts += [f": {edge.rule}", _paths(edge.inputs)]
    for mark, paths in (("|", edge.implicit), ("||", edge.order_only), ("|@", edge.validations)):
        parts += [f"{mark} {_paths(paths)}"] if paths else []
    said = {
        "command": manifest.command(edge),
        "description": manifest.description(edge),
        "depfile": manifest.depfile(edge),
        "deps": manifest.deps(edge),
        "msvc_deps_prefix": manifest.msvc_deps_prefix(edge),
        "restat": "yes" if manifest.restat(edge) else "",
        "generator": "yes" if manifest.generator(edge) else "",
        "rspfile": manifest.rspfile(edge),
        "rspfile_content": manifest.rspfile_content(edge),
        "pool": edge.pool,
        "dyndep": edge.dyndep,
    }
    return [
        f"{edge.at}: {' '.join(part for part in parts if part)}",
        *(f"  {name} = {value.replace(chr(10), '<newline>')}|" for name, value in said.items() if value),
    ]


def _paths(paths: tuple[str, ...]) -> str:
    return " ".join(path.replace(" ", "$ ").replace(":", "$:") for path in paths)


def ninja(folder: Path, *words: str) -> tuple[str, str]:
    """What the real one prints, and its error without its first word; "" for none."""
    done = subprocess.run(
        [NINJA, "-C", folder, *(word.encode("utf-8", "surrogateescape") for word in words)],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "NINJA_STATUS": ""},
    )
    out = done.stdout.decode("utf-8", "surrogateescape")
    out = re.sub(r"\Aninja: Entering directory .*\n", "", out)
    error = re.search(r"^ninja: (?:error|fatal): (.*)$", out + done.stderr.decode("utf-8", "surrogateescape"), re.M)
    if done.returncode < 0:
        return out, f"signal {-done.returncode}"
    return out, error[1] if error else ""
