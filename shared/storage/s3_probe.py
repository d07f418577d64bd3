"""What a bucket's server really does with a condition or a checksum, found out by trying."""

from __future__ import annotations

import base64
import secrets
import threading
from typing import Any

import msgspec

from shared.storage.s3_client import Bucket, passing, status_of

_KNOWN: dict[tuple[str, str], Capabilities] = {}
_LOCK = threading.Lock()
_DONE, _NO_SUCH_WRITE = 200, 501
_NOT_HELD = {409, 412}  # a condition
_NOT_ALLOWED = {401, 403, 404}


class Capabilities(msgspec.Struct, frozen=True):
    """Whether a server refuses to overwrite (create), to replace what changed (swap), and a wrong SHA-256."""

    conditional_create: bool
    conditional_swap: bool
    checksum: bool

    @property
    def conditional(self) -> bool:
        """Whether records can be swapped in it."""
        return self.conditional_create and self.conditional_swap


def probe(bucket: Bucket) -> Capabilities:
    """Try it on objects of our own, which are deleted again; once a process and bucket. StoreUnavailable."""
    place = (bucket.endpoint, bucket.name)
    with _LOCK:
        found = _KNOWN.get(place)
        if found is None:
            found = _KNOWN[place] = _try(bucket)
    return found


def _try(bucket: Bucket) -> Capabilities:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    name = f"probe/{secrets.token_hex(16)}"
    where: dict[str, Any] = {"Bucket": bucket.name, "Key": bucket.key(name)}

    def status(**condition: Any) -> int:
        """What it says to a write, if that has to do with what is tried."""
        try:
            bucket.client.put_object(**where, Body=b"probe", **condition)
        except ClientError as error:
            said = status_of(error)
            if said != _NO_SUCH_WRITE and (passing(error) or said in _NOT_ALLOWED):
                raise bucket.failed(error, "probing it") from error
            return said
        except BotoCoreError as error:
            raise bucket.failed(error, "probing it") from error
        return _DONE

    # A server that refuses even the first has no such write, which is not the same as honouring it.
    create = status(IfNoneMatch="*") == _DONE and status(IfNoneMatch="*") in _NOT_HELD
    swap = create and status(IfMatch='"00000000000000000000000000000000"') in _NOT_HELD
    checksum = status(ChecksumSHA256=base64.b64encode(bytes(32)).decode()) not in (_DONE, _NO_SUCH_WRITE)
    try:
        bucket.client.delete_object(**where)
    except (BotoCoreError, ClientError) as error:
        raise bucket.failed(error, "probing it") from error
    return Capabilities(create, swap, checksum)
