"""Bindings as the rows of a bulk read of the feed: columns alone, no object for each, in the order of their versions.

A proxy that starts reads every binding; a million of them are read in seconds, not minutes.
"""

import json
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from mmserver.messages import BindingState
from mmserver.migration.bindings import SERVED
from mmserver.migration.schema import bindings


class FeedRow(NamedTuple):
    """A row of the feed as JSON text (``mmserver.messages.FeedRow``): made here, no value of it stays in memory."""

    version: int
    text: str


_SERVED: Final = [state.value for state in SERVED]
_SHOWN: Final = [*_SERVED, BindingState.QUARANTINED.value]
_COLUMNS: Final = (
    bindings.c.handle,
    bindings.c.version,
    bindings.c.role,
    bindings.c.state,
    bindings.c.enabled,
    bindings.c.releasing,
    bindings.c.provisioned,
    bindings.c.other_mc_system,
    bindings.c.valid_until,
    bindings.c.private_user_identity,
    bindings.c.public_user_identities,
    bindings.c.counterpart_private_user_identity,
    bindings.c.counterpart_public_user_identities,
)


async def find_feed_rows(connection: AsyncConnection, after: int, limit: int, *, served_only: bool) -> list[FeedRow]:
    """Return what changed after version ``after``, in order, the held bindings left out."""
    query = select(*_COLUMNS).where(bindings.c.version > after).order_by(bindings.c.version).limit(limit)
    wanted = _SERVED if served_only else _SHOWN
    return _encoded(await connection.execute(query.where(bindings.c.state.in_(wanted))))


def _encoded(found: Iterable[Any]) -> list[FeedRow]:
    rows: list[FeedRow] = []
    for (
        handle, version, role, state, enabled, releasing, provisioned, other, until, impi, impus, theirs, their_impus,
    ) in found:  # fmt: skip
        # Both are JSON texts of lists; with one SIP URI each, as nearly always, there is nothing to pair.
        mine, counterparts = impus, their_impus
        if not (impus.startswith('["sip:') and impus.count('"') == 2 == their_impus.count('"')):
            mine, counterparts = _paired(json.loads(impus), json.loads(their_impus))
        deleted = "false" if state in _SERVED else "true"
        is_enabled = "true" if enabled and not releasing else "false"
        is_provisioned = "true" if provisioned else "false"
        text = (
            f'[{quoted(handle)},{version},{deleted},"{role}",{quoted(other)},{is_enabled},{float(until)!r},'
            f"{is_provisioned},[{quoted(impi)},{mine[1:]},[{quoted(theirs)},{counterparts[1:]}]"
        )
        rows.append(FeedRow(version, text))
    return rows


def _paired(mine: list[str], counterparts: list[str]) -> tuple[str, str]:
    """Return the SIP URIs of two sets, cut to what is paired by position, as JSON texts."""
    ours = [impu for impu in mine if impu.startswith("sip:")]
    theirs = [impu for impu in counterparts if impu.startswith("sip:")]
    count = min(len(ours), len(theirs))
    return json.dumps(ours[:count]), json.dumps(theirs[:count])
