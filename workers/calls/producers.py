"""Mock producers of blueprints: each writes text that stands for what a model would make, equal for equal inputs.

`config` may hold `seconds`, how long to pretend to work, and `failing`, an absolute path of a folder: a job fails as
long as that holds a file of its name, for example `Audio[segment=1]`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from shared.calls import Refused
from shared.clock import SystemClock

Nested = str | list["Nested"]


def script(word: str) -> None:
    """A title, a summary, and what is said in each segment: of the words of the prompt alone."""
    job = _begin(word)
    prompt = " ".join(_words(job, "InquiryPrompt"))
    for name, paths in job["makes"].items():
        if isinstance(paths, str):
            _write(paths, f"{name}: {prompt}")
        else:
            for number, path in enumerate(_flat(paths), 1):
                _write(path, f"Part {number}. {prompt}")


def text(word: str) -> None:
    """Everything that was read, one thing a line; of several outputs, each says which it is."""
    job = _begin(word)
    said = "\n".join(_told(job))
    for name, paths in job["makes"].items():
        for number, path in enumerate(_flat(paths), 1):
            _write(path, f"{name} {number}\n{said}" if isinstance(paths, list) else f"{name}\n{said}")


def timeline(word: str) -> None:
    """Everything that was read, by name and in the order of its loops, with the digest of each file, as JSON."""
    job = _begin(word)
    tracks = {name: [{"file": p, "sha256": _digest(p)} for p in _flat(paths)] for name, paths in job["reads"].items()}
    written = json.dumps({"values": job["values"], "tracks": tracks}, indent=2, sort_keys=True)
    for paths in job["makes"].values():
        for path in _flat(paths):
            _write(path, written)


def _begin(word: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads(word)
    config = job["config"]
    if "seconds" in config:
        SystemClock().sleep(float(config["seconds"]))
    told = Path(config["failing"], job["id"].removeprefix("Producer:")) if "failing" in config else None
    if told is not None and told.exists():
        raise Refused(f"{job['id']} fails while {told} is there")
    return job


def _words(job: dict[str, Any], name: str) -> list[str]:
    """The words of an input, whether it is a value or a file."""
    if name in job["values"]:
        return str(job["values"][name]).split()
    if name in job["reads"]:
        return Path(job["reads"][name]).read_text().split()
    raise Refused(f"{job['id']} reads no {name}")


def _told(job: dict[str, Any]) -> list[str]:
    values = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in sorted(job["values"].items())]
    read = [Path(path).read_text().rstrip("\n") for _, paths in sorted(job["reads"].items()) for path in _flat(paths)]
    return [*values, *read]


def _flat(paths: Nested) -> list[str]:
    return [paths] if isinstance(paths, str) else [path for item in paths for path in _flat(item)]


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _write(path: str, said: str) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(said + "\n")
