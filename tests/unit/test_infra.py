"""The files that describe a farm in containers fit together, and name what there is.

No container engine is needed: what the files say is read, nothing is started.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings_keys import TABLES
from shared.settings_load import load_without_project

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "infra/docker"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
each_service = pytest.mark.parametrize("name", SERVICES)


def _pins(path: Path) -> set[str]:
    return set(re.findall(r"^[a-z0-9._-]+(?:\[[^]]*\])?==[^ ;\\]+", path.read_text(), re.MULTILINE))


def test_compose_has_no_key_that_the_specification_does_not_know() -> None:
    assert {key for key in COMPOSE if not key.startswith("x-")} <= {"name", "services", "networks", "volumes"}


@each_service
def test_a_service_has_an_image_or_a_build_that_is_there(name: str) -> None:
    service = SERVICES[name]

    assert "image" in service or "build" in service
    if "build" in service:
        build = service["build"]
        assert (ROOT / build["context"] / build["dockerfile"]).is_file()


@each_service
def test_a_services_images_are_pinned_to_a_version(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]

    assert tag not in {"", "latest"}


@each_service
def test_a_service_waits_for_services_that_are_there_and_can_say_they_are_ready(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        condition = how["condition"]
        assert other in SERVICES
        assert condition in {"service_healthy", "service_completed_successfully"}
        assert condition != "service_healthy" or "healthcheck" in SERVICES[other]


def test_no_service_waits_for_itself() -> None:
    waiting = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    started: set[str] = set()
    while ready := {name for name, needs in waiting.items() if name not in started and needs <= started}:
        started |= ready

    assert started == set(SERVICES)


@each_service
def test_a_services_volumes_and_networks_are_declared(name: str) -> None:
    service = SERVICES[name]
    named = [volume.partition(":")[0] for volume in service.get("volumes", ()) if not volume.startswith("/")]

    assert set(named) <= set(COMPOSE["volumes"])
    assert set(service.get("networks", ())) <= set(COMPOSE["networks"])
    if "network_mode" in service:
        assert service["network_mode"].removeprefix("service:") in SERVICES


@each_service
def test_a_service_publishes_ports_on_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@each_service
def test_a_service_can_gain_no_rights(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", ["worker", "client"])
def test_jobs_reach_no_network_but_the_farms(name: str) -> None:
    assert SERVICES[name]["networks"] == ["farm"]
    assert COMPOSE["networks"]["farm"]["internal"] is True


def test_there_are_two_workers_with_time_to_finish() -> None:
    from workers.app import FINISH_SECONDS

    worker = SERVICES["worker"]

    assert worker["deploy"]["replicas"] == 2
    assert int(worker["stop_grace_period"].removesuffix("s")) > FINISH_SECONDS


def test_the_broker_keeps_what_it_is_told_and_drops_nothing() -> None:
    command = " ".join(SERVICES["broker"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_every_secret_comes_from_the_env_file() -> None:
    text = (ROOT / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text))
    offered = dict(line.split("=", 1) for line in _lines(DOCKER / "farm.env.example"))

    assert asked == set(offered)
    assert set(offered.values()) == {""}
    assert set(re.findall(r"\$\{\w+(?!:\?|\w)", text)) == set(), "each must be refused when it is empty"


def test_the_filled_in_env_file_is_ignored_by_git_and_stays_out_of_the_image() -> None:
    assert "infra/docker/farm.env" in (ROOT / ".gitignore").read_text().splitlines()
    assert "infra/docker/farm.env" in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()


@pytest.mark.parametrize("name", ["worker", "client"])
def test_settings_in_compose_are_settings_windrow_takes(name: str) -> None:
    environment = {
        key: re.sub(r"\$\{\w+:\?[^}]*\}", "x", value) for key, value in SERVICES[name]["environment"].items()
    }

    settings = load_without_project(ROOT, flags={}, environ={**environment, "HOME": "/nowhere"})

    assert settings.farm.broker == "redis://:x@broker:6379/0"
    assert settings.storage.url == "s3://builds/windrow"
    assert settings.storage.endpoint == "http://storage:8333"


def test_the_broker_and_storage_that_settings_name_are_services() -> None:
    text = (ROOT / "compose.yaml").read_text()

    assert {"broker", "storage"} <= set(SERVICES)
    assert "@broker:6379" in text
    assert "http://storage:8333" in text
    assert "-s3.port=8333" in SERVICES["storage"]["command"]


def _instructions() -> list[list[str]]:
    text = re.sub(r"\\\n", " ", (DOCKER / "Dockerfile").read_text())
    return [shlex.split(line) for line in text.splitlines() if line and not line.startswith("#")]


def test_every_file_the_image_copies_is_there_and_reaches_the_build() -> None:
    ignore = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = [line[1:] for line in ignore if line.startswith("!")]
    copied = [
        source
        for words in _instructions()
        if words[0] == "COPY" and not any(word.startswith("--from") for word in words)
        for source in [word for word in words[1:-1] if not word.startswith("--")]
    ]

    assert copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert [s for s in copied if not any(s == one or s.startswith(f"{one}/") for one in let_in)] == []


def test_the_image_runs_as_a_user_without_rights() -> None:
    users = [words[1] for words in _instructions() if words[0] == "USER"]

    assert users == ["windrow"]


def test_the_image_holds_the_tools_of_the_example() -> None:
    installed = next(words for words in _instructions() if "apt-get" in words and "install" in words)

    assert {"gcc", "binutils"} <= set(installed)


def test_the_images_packages_are_those_of_the_lock_and_hashed() -> None:
    image = DOCKER / "requirements.lock"

    assert _pins(image)
    assert _pins(image) <= _pins(ROOT / "requirements.lock")
    assert image.read_text().count("--hash=sha256:") >= len(_pins(image))


def test_the_image_has_every_package_that_the_project_needs() -> None:
    import tomllib

    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[\[<>=!~ ]", need, maxsplit=1)[0] for need in needs}
    pinned = {re.split(r"[\[=]", pin, maxsplit=1)[0] for pin in _pins(DOCKER / "requirements.lock")}

    assert names <= pinned


def test_the_env_example_lists_every_variable_there_is() -> None:
    listed = set(re.findall(r"^#(WINDROW_\w+)=", (ROOT / "infra/env.example").read_text(), re.MULTILINE))
    settings = {
        f"WINDROW_{table}__{name}".upper()
        for table, keys in TABLES.items()
        for name, key in keys.items()
        if not key.shared
    }
    sources = [
        path for package in ("cli", "coordinator", "shared", "workers") for path in (ROOT / package).rglob("*.py")
    ]
    read = {
        name for path in sources for name in re.findall(r'["\'](WINDROW_[A-Z]+(?:_[A-Z]+)*)["\']', path.read_text())
    }

    assert listed == settings | read | {"WINDROW_BRANCH", "WINDROW_JOBS", "WINDROW_CACHE_DIR"}


def test_the_values_of_the_env_example_are_taken() -> None:
    lines = (ROOT / "infra/env.example").read_text().splitlines()
    environ = dict(line[1:].split("=", 1) for line in lines if re.match(r"#WINDROW_\w+=", line))

    settings = load_without_project(ROOT, flags={}, environ={**environ, "HOME": "/nowhere"})

    assert settings.branch == "main"


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
