"""Commits that compete on real stores; the disk's race is among the unit tests."""

from __future__ import annotations

import secrets

import pytest

from cli.servers import Server
from shared.storage.credentials import Keys
from shared.storage.redis_refs import RedisRefs
from shared.storage.s3_client import Bucket
from shared.storage.s3_refs import S3Refs
from tests import sweeps
from tests.contracts.commit_race import race
from tests.services import S3Service

pytestmark = [pytest.mark.live, pytest.mark.fault]

# This server makes the losers of a race for one key wait for a second or two, so its hundred rounds take
# minutes; `make faults` runs them, in parts that can run at once.
PARTS, ROUNDS = (4, 25) if sweeps.ALL else (1, 5)


def bucket(service: S3Service) -> Bucket:
    url = service.url(f"race-{secrets.token_hex(4)}")
    return Bucket(url, endpoint=service.endpoint, keys=Keys(service.access_key, service.secret_key))


@pytest.mark.parametrize("part", range(PARTS))
def test_competing_commits_on_a_bucket_have_one_winner_each_round(seaweedfs: S3Service, part: int) -> None:
    opened = bucket(seaweedfs)

    race(lambda: S3Refs(opened), rounds=ROUNDS)


def test_competing_commits_on_a_bucket_without_conditions_have_one_winner_each_round(
    rclone_s3: S3Service, valkey: Server
) -> None:
    opened = bucket(rclone_s3)
    space = secrets.token_hex(4)

    race(lambda: RedisRefs(valkey.url, S3Refs(opened), space=space), rounds=100)
