"""Reading a message: its envelope is checked field by field, for it comes from outside. Format: docs/design/queue.md.

A module of its own, for only who reads messages has to load Pydantic.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import CorruptRecord
from shared.model.job import JobOrder
from shared.queue import MAX_MESSAGE
from shared.storage.blobs import BlobStore


class Envelope(BaseModel):
    """What a message says about the orders it carries, or names: a batch of one build and platform.

    batch: unique in the build; a message sent twice has the same one. budget: seconds after which the jobs
    not yet begun go back. blob: digest of the orders when they are too many to travel.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_: Literal["windrow.orders/1"] = Field(alias="schema")
    build: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]
    batch: Annotated[int, Field(ge=1)]
    platform: Annotated[str, Field(max_length=512)]
    budget: Annotated[float, Field(gt=0)]
    blob: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None


def read_envelope(envelope: object) -> Envelope:
    """A checked envelope; CorruptRecord says what is wrong with it."""
    try:
        return Envelope.model_validate(envelope)
    except ValidationError as error:
        raise CorruptRecord("a message's envelope cannot be read", why=str(error)) from error


_ORDERS = msgspec.json.Decoder(tuple[JobOrder, ...])


def unpack(envelope: Envelope, orders: str, blobs: BlobStore) -> tuple[JobOrder, ...]:
    """The orders of a message; CorruptRecord if they are not what the envelope says, BlobMissing, StoreUnavailable."""
    if len(orders) > MAX_MESSAGE:
        raise CorruptRecord(f"a message of {len(orders):,} characters is longer than {MAX_MESSAGE:,}")
    try:
        decoded = _ORDERS.decode(blobs.get(envelope.blob) if envelope.blob else orders)
    except msgspec.MsgspecError as error:
        raise CorruptRecord("the orders of a message cannot be read", why=str(error)) from error
    if any(o.build != envelope.build or o.action.platform != envelope.platform for o in decoded):
        raise CorruptRecord("a message holds orders of another build or platform")
    return decoded
