"""Small files travel with orders and outcomes: what a farm then asks of its bucket, and what it does not believe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from cli.servers import Server
from tests.console import Console
from tests.counting_proxy import CountingProxy, counting
from tests.services import S3Service

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
JOBS = 12
RULES = """\
[project]
name = "carried"

[[rule]]
name = "upper"
each = "src/*.txt"
command = ["sh", "-c", 'tr a-z A-Z < "$0" > "$1"', "{in}", "{out}"]
outputs = ["build/{stem}.up"]

[[rule]]
name = "all"
inputs = ["rule:upper"]
command = ["sh", "-c", 'cat build/*.up > all.txt']
outputs = ["all.txt"]
"""


class Place:
    """A project whose builds go through a proxy, and workers that are given the bucket's own address."""

    def __init__(self, folder: Path, bucket: S3Service, proxy: CountingProxy, broker: str, name: str) -> None:
        self._bucket, self._broker, self.proxy = bucket, broker, proxy
        there = msgspec.structs.replace(bucket, endpoint=proxy.url)
        self.console = Console(folder / "project", folder / "cache", **there.environment())
        (self.console.folder / "src").mkdir(parents=True)
        settings = f'\n[storage]\nurl = "{there.url(name)}"\nendpoint = "{there.endpoint}"\n'
        settings += f'\n[farm]\nbroker = "{broker}"\nheartbeat = 0.2\n'
        (self.console.folder / "windrow.toml").write_text(RULES + settings)
        for number in range(JOBS):
            (self.console.folder / f"src/{number:02}.txt").write_text(f"line {number}\n")

    @contextmanager
    def worker(self, prefix: str) -> Iterator[None]:
        words = ("worker", "--broker", self._broker, "--endpoint", self._bucket.endpoint)
        words = (*words, "--storage", self._bucket.url(prefix), "--slots", "2")
        process = self.console.start(*words, "--cache-dir", str(self.console.cache / "worker"))
        try:
            yield
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def asked(self) -> Counter[str]:
        """What was asked of the bucket since: method and the first folder under the prefix."""
        asked = [(method, path.split("?")[0].split("/")) for method, path in self.proxy.requests]
        self.proxy.requests = []
        return Counter(f"{method} {parts[3]}" for method, parts in asked if len(parts) > 3)


@pytest.fixture
def proxy(seaweedfs: S3Service) -> Iterator[CountingProxy]:
    with counting(seaweedfs.endpoint) as found:
        yield found


def expected(numbers: Sequence[int]) -> str:
    return "".join(f"LINE {number}\n" for number in numbers)


def test_a_build_fetches_one_small_output_of_each_worker_and_believes_it_from_then_on(
    tmp_path: Path, seaweedfs: S3Service, valkey: Server, proxy: CountingProxy
) -> None:
    place = Place(tmp_path, seaweedfs, proxy, valkey.url, "carried")
    with place.worker("carried"):
        first = place.console.run("build", "--json")
        asked = place.asked()
        (place.console.folder / "src/03.txt").write_text("line 33\n")
        second = place.console.run("build", "--json")

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert (first.json()["executed"], second.json()["executed"]) == (JOBS + 1, 2)
    # Those that were under way when its first was fetched are fetched as well.
    assert 1 <= asked["GET blobs"] <= 4
    assert asked["HEAD blobs"] == 0
    assert asked["PUT blobs"] == JOBS
    lines = [33 if number == 3 else number for number in range(JOBS)]
    assert (place.console.folder / "all.txt").read_text() == expected(lines)
    assert place.console.run("cache", "verify").code == 0


def test_outputs_that_stay_in_the_store_are_asked_for_once_a_worker_and_do_not_travel(
    tmp_path: Path, seaweedfs: S3Service, valkey: Server, proxy: CountingProxy
) -> None:
    place = Place(tmp_path, seaweedfs, proxy, valkey.url, "staying")
    rules = place.console.folder / "windrow.toml"
    rules.write_text(rules.read_text().replace('up"]\n', 'up"]\nkeep = "store"\n'))
    with place.worker("staying"):
        built = place.console.run("build", "--json")
        asked = place.asked()

    assert built.code == 0, built.err
    assert built.json()["executed"] == JOBS + 1
    assert not (place.console.folder / "build").exists()
    assert 1 <= asked["HEAD blobs"] <= 4
    assert asked["GET blobs"] <= 1
    assert (place.console.folder / "all.txt").read_text() == expected(range(JOBS))
    assert place.console.run("cache", "verify").code == 0


def test_a_worker_that_stores_elsewhere_is_not_believed(
    tmp_path: Path, seaweedfs: S3Service, valkey: Server, proxy: CountingProxy
) -> None:
    """Its small outputs would do, but nobody else would find them: no revision may name them."""
    place = Place(tmp_path, seaweedfs, proxy, valkey.url, "here")
    with place.worker("there"):
        built = place.console.run("build")

    assert built.code == 32, built.err
    assert "what it made was never in the store" in built.err
    assert "see that the workers have the [storage] of this build" in built.err
    assert place.console.run("status", "--json").json()["revision"] is None
