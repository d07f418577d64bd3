"""The farm's servers: started, found again from another process, stopped without a trace."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis.exceptions import AuthenticationError

from cli import servers
from coordinator.broker import Broker
from shared import queue
from shared.clock import SystemClock
from shared.errors import BrokerUnavailable, LocalError, ToolMissing
from shared.storage.credentials import Keys
from tests.services import S3Service
from tests.waiting import until


def test_a_broker_answers_and_is_gone_after_stop(tmp_path: Path) -> None:
    server = servers.start_valkey(tmp_path)
    try:
        with socket.create_connection((servers.HOST, server.port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            answer = connection.recv(16)
    finally:
        servers.stop(server)

    assert answer == b"+PONG\r\n"
    assert not servers.alive(server)
    assert servers.recorded(tmp_path) is None


def test_a_broker_with_a_password_answers_only_who_gives_it(tmp_path: Path) -> None:
    password = 'p@ss: "w\\rd/é{0}'
    server = servers.start_valkey(tmp_path, password=password)
    try:
        with queue.connect(server.url) as known:
            assert known.ping()
        wrong = Broker(f"redis://:wrong@127.0.0.1:{server.port}/0", SystemClock(), 5.0)
        with pytest.raises(BrokerUnavailable) as caught:
            wrong.call(lambda client: client.ping(), "the broker does not answer")
        assert caught.value.fix == "check the password in the broker's URL"
        assert "wrong" not in caught.value.at
        with queue.connect(f"redis://127.0.0.1:{server.port}/0") as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        words = Path(f"/proc/{server.pid}/cmdline").read_text()
    finally:
        servers.stop(server)

    assert "requirepass" not in words
    assert stat.S_IMODE((tmp_path / "valkey.conf").stat().st_mode) == 0o600


def test_another_process_finds_and_stops_a_server(tmp_path: Path) -> None:
    server = servers.start_valkey(tmp_path)
    code = (
        "import sys; from pathlib import Path; from cli import servers\n"
        "server = servers.recorded(Path(sys.argv[1])); assert servers.alive(server); servers.stop(server)"
    )

    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=30)

    assert not servers.alive(server)


def test_a_server_that_was_killed_leaves_nothing_once_it_runs_again(tmp_path: Path) -> None:
    keys = Keys("killed", "and-again")
    killed = servers.start_seaweedfs(tmp_path, keys=keys, bucket="farm")
    outside = [Path(path) for path in killed.sockets if Path(path).exists()]
    os.kill(killed.pid, signal.SIGKILL)
    until(lambda: not servers.alive(killed), what="the end of weed")

    again = servers.start_seaweedfs(tmp_path, port=killed.port, keys=keys, bucket="farm")
    left = [path for path in outside if path.exists() and str(path) not in again.sockets]
    servers.stop(again)

    assert outside
    assert left == []


def test_a_process_that_took_over_the_id_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        server = servers.Server("valkey", other.pid, "another-boot:1", 1, "", str(tmp_path), "")

        servers.stop(server)

        assert other.poll() is None
        other.kill()


def test_many_started_at_once_all_get_ports_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda n: servers.start_valkey(tmp_path / str(n)), range(8)))
    for server in started:
        servers.stop(server)

    assert len({server.port for server in started}) == 8


def test_a_taken_port_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    with socket.create_server((servers.HOST, 0)) as taken, pytest.raises(LocalError) as caught:
        servers.start_valkey(tmp_path, port=taken.getsockname()[1])

    assert caught.value.at.endswith("valkey.log")
    assert "ended" in caught.value.why


def test_a_missing_program_names_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as caught:
        servers.find_program("no-such-distribution", "no-such-program")

    assert "windrow[farm]" in caught.value.fix


def test_nobody_gets_past_a_bucket_s_keys_by_its_filer(seaweedfs: S3Service) -> None:
    assert seaweedfs.server is not None
    words = Path(f"/proc/{seaweedfs.server.pid}/cmdline").read_text().split("\0")
    port = next(word.partition("=")[2] for word in words if word.startswith("-filer.port="))

    for method in ("GET", "PUT", "DELETE"):
        with socket.create_connection((servers.HOST, int(port)), timeout=5) as connection:
            head = f"{method} /buckets/{seaweedfs.bucket}/x HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(64).split()[1] == b"401"


def test_a_bucket_is_reached_with_its_keys_only(seaweedfs: S3Service) -> None:
    from shared.errors import StoreUnavailable
    from shared.storage import s3_client

    with pytest.raises(StoreUnavailable):
        s3_client.make_bucket("other", endpoint=seaweedfs.endpoint, keys=Keys(seaweedfs.access_key, "wrong"))

    assert seaweedfs.server is not None
    assert os.stat(Path(seaweedfs.server.folder) / "s3.json").st_mode & 0o777 == 0o600
