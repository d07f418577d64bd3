"""The HTTP API: whole builds of the film, driven step by step (W3-18, S2-48)."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from coordinator.api.app import make_app
from tests.console import Console, ended
from tests.scenarios.film import JOBS, LAYERS, Film

FILM = "/v1/projects/movie"


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Nothing is built yet."""
    return Film(tmp_path / "tree")


@pytest.fixture
def client(film: Film) -> Iterator[TestClient]:
    """A client of a server of the film."""
    with TestClient(make_app(film.project), headers={"content-type": "application/json"}) as made:
        yield made


def made(client: TestClient, **edits: object) -> dict[str, Any]:
    """A new build with edits of inputs."""
    given = {f"Input:{name}": value for name, value in edits.items()}
    answer = client.post(f"{FILM}/builds", json={"edits": given})
    assert answer.status_code == 201, answer.text
    assert client.get(answer.headers["location"]).json() == answer.json()
    return answer.json()


def driven(client: TestClient, build: dict[str, Any]) -> dict[str, Any]:
    """A build after all its layers and its commit."""
    for layer in range(len(build["layers"])):
        answer = client.post(f"{FILM}/builds/{build['id']}/layers/{layer}")
        assert (answer.status_code, answer.json()["layers_done"]) == (200, layer + 1), answer.text
    answer = client.post(f"{FILM}/builds/{build['id']}/commit")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_whole_build_and_a_second_one_with_an_edit(client: TestClient, film: Film) -> None:
    """W3-18: 17 jobs in their layers; then VoiceId: 5. A CLI build finds nothing to do after each."""
    none = client.get(f"{FILM}/manifest")
    first = driven(client, made(client))
    between = film.build().status

    second = driven(client, made(client, VoiceId="stern"))

    assert none.status_code == 404
    assert [len(layer) for layer in first["layers"]] == list(LAYERS)
    assert (first["executed"], first["status"], first["revision"]) == (JOBS, "committed", "rev-0001")
    assert (second["executed"], second["base_revision"], second["revision"]) == (5, "rev-0001", "rev-0002")
    assert (between, film.build().status) == ("no-changes", "no-changes")
    assert 'VoiceId: "stern"' in film.read("inputs.yaml")
    manifest = client.get(f"{FILM}/manifest")
    assert (manifest.json()["revision"], manifest.headers["etag"]) == (
        2,
        f'"{film.project().load_base().manifest_hash}"',
    )
    assert client.get(f"{FILM}/manifest?revision=rev-0001").json()["revision"] == 1


def test_every_step_may_be_repeated(client: TestClient, film: Film) -> None:
    """W3-18: nothing runs a second time, and there is one revision."""
    build = made(client)
    steps = [f"{FILM}/builds/{build['id']}/layers/{layer}" for layer in range(5)] + [
        f"{FILM}/builds/{build['id']}/commit"
    ]

    answers = [[client.post(step).json() for _ in range(2)] for step in steps]

    assert all(one == two for one, two in answers)
    assert [one["executed"] for one, _ in answers] == [1, 8, 15, 16, 17, 17]
    assert client.post(steps[0]).json() == answers[-1][0]
    assert sorted(path.name for path in (film.records / "manifests").glob("rev-*")) == ["rev-0001.json"]


def test_a_plan_writes_nothing(client: TestClient, film: Film) -> None:
    """W3-18, C27: twice the same, with an edit that is nowhere but in the request."""
    film.build()
    tree, stored = film.tree(), film.stored()

    one, two = (client.post(f"{FILM}/plan", json={"edits": {"Input:Style": "noir"}}) for _ in range(2))
    made(client, Style="noir")

    assert one.json() == two.json()
    assert sum(map(len, one.json()["layers"])) == 11
    assert (film.tree(), film.stored()) == (tree, stored)


def test_a_layer_alone_does_what_is_missing_before_it(client: TestClient) -> None:
    """W3-18: each step can be called alone."""
    build = made(client)

    answer = client.post(f"{FILM}/builds/{build['id']}/layers/2").json()

    assert (answer["executed"], answer["layers_done"], answer["status"]) == (15, 3, "running")


def test_what_was_not_executed_is_not_committed(client: TestClient, film: Film) -> None:
    """R06."""
    build = made(client)
    client.post(f"{FILM}/builds/{build['id']}/layers/3")

    answer = client.post(f"{FILM}/builds/{build['id']}/commit")

    assert answer.status_code == 409
    assert answer.json()["error"]["why"] == "4 of its 5 layers are"
    assert film.project().load_base().revision == 0


def test_a_build_whose_base_moved_is_refused(client: TestClient, film: Film) -> None:
    """W3-05: both steps that write; the other build's revision stands."""
    executed, planned = made(client, Style="noir"), made(client, Style="woodcut")
    for layer in range(5):
        client.post(f"{FILM}/builds/{executed['id']}/layers/{layer}")
    film.give(Style="photograph")
    film.build()

    answers = [
        client.post(f"{FILM}/builds/{executed['id']}/commit"),
        client.post(f"{FILM}/builds/{planned['id']}/layers/0"),
    ]

    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [(409, "W1101")] * 2
    assert film.project().load_base().revision == 1


def test_a_failed_layer_can_be_tried_again(client: TestClient, film: Film) -> None:
    """W3-04: the resource tells the job and its error; nothing is committed."""
    broken = film.broken()
    build = made(client)
    client.post(f"{FILM}/builds/{build['id']}/layers/0")
    failed = client.post(f"{FILM}/builds/{build['id']}/layers/1").json()
    refused = client.post(f"{FILM}/builds/{build['id']}/commit").status_code
    broken.unlink()

    after = driven(client, build)

    assert (failed["status"], failed["layers_done"], refused) == ("failed", 1, 409)
    assert failed["failures"][0]["job"] == "Producer:Audio[segment=1]"
    assert (after["status"], after["executed"], after["failures"]) == ("committed", JOBS, [])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "what"),
    [
        ("POST", f"{FILM}/plan", "{", 400, "the request's body is not what is taken here"),
        ("POST", f"{FILM}/plan", '{"edit": {}}', 400, "the request's body is not what is taken here"),
        ("POST", f"{FILM}/plan", '{"edits": {"Input:Stlye": 1}}', 400, "unknown input 'Stlye'"),
        ("POST", f"{FILM}/plan", '{"edits": {"../x": 1}}', 400, "'../x' is no id"),
        ("POST", f"{FILM}/plan", '{"targets": ["nothing"]}', 404, "no target 'nothing'"),
        ("POST", f"{FILM}/builds", '{"edits": {"Input:NumOfSegments": -1}}', 400, "input 'NumOfSegments' is no number of turns: -1"),
        ("GET", f"{FILM}/builds/0123456789ab", "", 404, "there is no build 0123456789ab"),
        ("GET", f"{FILM}/builds/..%2F..%2Fx", "", 404, "Not Found"),
        ("DELETE", f"{FILM}/builds/nothing", "", 404, "there is no build 'nothing'"),
        ("GET", f"{FILM}/manifest?revision=x", "", 400, "'x' is no revision"),
        ("GET", "/v1/projects/other/manifest", "", 404, "there is no project other here"),
        ("GET", f"{FILM}/plan", "", 405, "Method Not Allowed"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_an_error_with_its_status(
    client: TestClient, method: str, path: str, body: str, status: int, what: str
) -> None:
    answer = client.request(method, path, content=body)

    assert (answer.status_code, answer.json()["error"]["what"]) == (status, what)


def test_a_layer_that_there_is_not(client: TestClient) -> None:
    build = made(client)

    answers = [client.post(f"{FILM}/builds/{build['id']}/layers/{layer}").status_code for layer in ("5", "-1", "x")]
    gone = (
        client.delete(f"{FILM}/builds/{build['id']}").status_code,
        client.get(f"{FILM}/builds/{build['id']}").status_code,
    )

    assert answers == [404, 404, 404]
    assert gone == (204, 404)


def test_pages_of_other_sites_and_clients_without_the_token_are_refused(film: Film) -> None:
    """What a browser sends by itself does not get in; a request for another host neither."""
    app = make_app(film.project, token="s3cret", hosts=("localhost",))
    with TestClient(app, base_url="http://localhost") as client:
        plain = client.post(
            f"{FILM}/plan", content="{}", headers={"content-type": "text/plain", "authorization": "Bearer s3cret"}
        )
        nobody = client.get(f"{FILM}/builds/0123456789ab")
        elsewhere = client.get("/v1/health", headers={"host": "evil.example"})
        known = client.post(f"{FILM}/plan", json={}, headers={"authorization": "Bearer s3cret"})

    assert [one.status_code for one in (plain, nobody, elsewhere, known)] == [415, 401, 400, 200]


def test_the_command_serves_until_it_is_ended(film: Film) -> None:
    """`windrow server`, spoken to by another process."""
    process = film.console.start("server", "--port", "0")
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"{address}/v1/health") as answer:
            health = json.load(answer)
        asked = urllib.request.Request(f"{address}{FILM}/builds", b"{}", {"content-type": "application/json"})
        with urllib.request.urlopen(asked) as answer:
            build = json.load(answer)
    finally:
        process.send_signal(signal.SIGTERM)
        said = ended(process)

    assert health["status"] == "ok"
    assert [len(layer) for layer in build["layers"]] == list(LAYERS)
    assert (said.code, said.err) == (0, "")


def test_a_server_that_others_reach_wants_a_token(film: Film) -> None:
    said = film.console.run("server", "--host", "0.0.0.0")

    assert said.code == 2
    assert "WINDROW_SERVER_TOKEN" in said.err


def test_it_serves_the_project_of_the_folder_that_comes_before_the_command(film: Film) -> None:
    """`windrow -C DIR server`: each request is answered by settings that are read anew."""
    console = Console(film.root.parent, film.console.cache)
    process = console.start("-C", str(film.root), "server", "--host", "::1", "--port", "0")
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        asked = urllib.request.Request(f"{address}{FILM}/plan", b"{}", {"content-type": "application/json"})
        with urllib.request.urlopen(asked) as answer:
            plan = json.load(answer)
    finally:
        process.send_signal(signal.SIGTERM)
        said = ended(process)

    assert address.startswith("http://[::1]:")
    assert [len(layer) for layer in plan["layers"]] == list(LAYERS)
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("words", [("server",), ("mcp", "--http")], ids=" ".join)
def test_a_port_that_is_taken_is_told_with_what_to_do(film: Film, words: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = film.console.run(*words, "--port", str(port))

    assert (said.code, said.out) == (36, "")
    assert said.err == (
        f"error[W3600]: cannot listen on 127.0.0.1, port {port}\n   at: 127.0.0.1:{port}\n"
        "  why: Address already in use\n  fix: choose another with --host and --port; --port 0 takes a free one\n"
    )
