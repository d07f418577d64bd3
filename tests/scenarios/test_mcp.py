"""`windrow mcp` and the official client: on stdin and stdout, and on HTTP."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from shared import hashing
from tests.console import Console
from tests.scenarios.book import Book


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A book of four chapters, ingested, hydrated and built once, then ingested with one lesson changed."""
    book = Book(tmp_path_factory.mktemp("mcp"), parts=2, chapters=2, lessons=2)
    book.ingest()
    book.hydrate()
    book.build()
    book.edit("Part-01-Of-The-Book/Chapter-01-Of-Part-01/01-lesson.md", "another body")
    book.ingest()
    return book


def ask(book: Book, *words: str, do: Callable[[Client], Awaitable[Any]]) -> Any:
    """What a client hears from a server on stdin and stdout."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "windrow", "mcp", *words],
        cwd=str(book.folder),
        env=book.console.environment(),
    )

    async def talk() -> Any:
        async with Client(server, read_timeout_seconds=30) as client:
            return await do(client)

    return asyncio.run(talk())


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content


def test_a_client_can_ask_everything_and_change_nothing(book: Book) -> None:
    async def talk(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"plan_build", "delta_build", "plan", "build_status", "why", "diff"}
        assert all(tool.annotations and tool.annotations.read_only_hint and tool.description for tool in tools.values())

        status = await call(client, "build_status")
        assert (status["revision"], status["ingested"], status["last_build"]["status"]) == ("rev-0003", 16, "ok")
        everything = await call(client, "plan_build", book_id="book")
        assert (everything["status"], everything["total_files"], everything["changed_count"]) == ("changed", 16, 16)
        same = await call(client, "plan_build", target_manifest_hash=everything["manifest_hash"])
        assert (same["status"], same["files"]) == ("unchanged", [])
        path = "content/01-Part/01-Chapter/01-lesson.md"
        since = await call(client, "delta_build", since="rev-0002", include_content=True)
        assert [file["path"] for file in since["changed_files"]] == [path]
        text = since["changed_files"][0]["content"]
        assert hashing.of_bytes(text.encode()) == "sha256:" + since["changed_files"][0]["sha256"]
        assert (await call(client, "plan"))["layers"] == []
        why = await call(client, "why", target="site/index.html")
        assert (why["state"], why["planned_for"]) == ("up-to-date", "rev-0002")
        diff = await call(client, "diff", before="rev-0002", after="3")
        assert [(one["kind"], one["path"], one["change"]) for one in diff["differences"]] == [
            ("ingested", path, "changed")
        ]

    ask(book, do=talk)


def test_mistakes_are_told_as_errors_that_say_what_to_do(book: Book) -> None:
    async def talk(client: Client) -> None:
        for tool, arguments, said in (
            ("delta_build", {"since": "yesterday"}, "ISO 8601"),
            ("plan_build", {"book_id": "other"}, "not of 'other'"),
            ("why", {"target": "site/nothing.html"}, "W0401"),
            ("diff", {"before": "x", "after": "1"}, "not a revision"),
            ("build", {}, "Unknown tool"),
        ):
            answer = await client.call_tool(tool, arguments)
            assert answer.is_error
            assert said in answer.content[0].text
            assert "Traceback" not in answer.content[0].text

    ask(book, do=talk)


def test_a_client_builds_only_where_that_is_allowed(tmp_path: Path) -> None:
    book = Book(tmp_path, parts=1, chapters=1, lessons=1)
    book.ingest()
    book.hydrate()

    async def talk(client: Client) -> None:
        built = await call(client, "build")
        assert (built["status"], built["executed"], built["revision"]) == ("ok", 5, "rev-0002")
        assert (await call(client, "build"))["status"] == "no-changes"

    ask(book, "--allow-build", do=talk)


def test_on_http_a_token_opens_the_door_and_is_never_shown(book: Book) -> None:
    """W1-21: the Authorization header shows in no output."""
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    token = "token-of-the-test-3f9a"
    process = book.console.start("mcp", "--http", "--port", "0", env={"WINDROW_MCP_TOKEN": token})
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/mcp", line)
        assert found, line

        async def talk(headers: dict[str, str]) -> Any:
            async with create_mcp_http_client(headers=headers) as http:
                async with Client(
                    streamable_http_client(found[0], http_client=http), read_timeout_seconds=30
                ) as client:
                    return await call(client, "plan_build")

        assert asyncio.run(talk({"Authorization": f"Bearer {token}"}))["total_files"] == 16
        with pytest.raises(Exception, match="."):
            asyncio.run(talk({"Authorization": "Bearer wrong"}))
    finally:
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert token not in line + out + err
    assert "wrong" not in out + err


def test_no_other_machine_comes_in_without_a_token(book: Book) -> None:
    said = book.console.run("mcp", "--http", "--host", "0.0.0.0")

    assert said.code == 2
    assert "WINDROW_MCP_TOKEN" in said.err


def test_without_the_package_it_is_said_how_to_get_it(book: Book, tmp_path: Path) -> None:
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "mcp.py").write_text("raise ModuleNotFoundError('mcp')\n")
    console = Console(book.folder, book.console.cache, PYTHONPATH=str(tmp_path / "hide"))

    said = console.run("mcp")

    assert said.code == 36, said.err
    assert 'pip install "windrow[mcp]"' in said.err
