"""Rows of the feed say what its entries say, one for each."""

import json
from typing import Any

from mmserver.messages import FeedEntry, FeedRows


async def rows(mms: Any, after: int = 0, limit: int = 1000) -> FeedRows:
    return FeedRows.model_validate_json(await mms.feed.rows(after, limit))


def as_row(entry: FeedEntry) -> list[Any]:
    mine, theirs = (
        [one.private_user_identity, *one.public_user_identities] for one in (entry.identities, entry.counterpart)
    )
    return [
        entry.binding, entry.version, entry.deleted, entry.role.value, entry.other_mc_system, entry.enabled,
        entry.not_after.timestamp(), entry.provisioned, mine, theirs,
    ]  # fmt: skip


async def test_rows_are_the_entries_of_the_same_page(mms: Any) -> None:
    """Several IMPUs, a tel URI that is not mapped, a disabled binding, one that is gone."""
    default = {
        "private_user_identity": "a@ims.mc2.lab",
        "public_user_identities": ["sip:a@ims.mc2.lab", "tel:+4930123", "sip:a2@ims.mc2.lab"],
    }
    several = await mms.primary(default_identities=default)
    await mms.server.confirm(several.handle, "", "cms.mc2.lab")
    disabled, gone = await mms.allocated("b"), await mms.allocated("c")
    start = (await rows(mms)).version
    await mms.withdrawal.disable(disabled.handle, "", "admin")
    await mms.withdrawal.release(gone.handle, "", "admin")
    for after in (0, 1, start):
        entries = (await mms.feed.page(after, 1000, 0.0)).entries
        found = json.loads(await mms.feed.rows(after, 1000))
        assert found["rows"] == [as_row(entry) for entry in entries]
        assert found["rows"]


async def test_large_pages_are_limited_and_say_when_there_is_more(mms: Any) -> None:
    for user in "abc":
        await mms.allocated(user)
    first = await rows(mms, limit=2)
    second = await rows(mms, first.version, limit=2)
    assert (len(first.rows), first.complete, len(second.rows), second.complete) == (2, False, 1, True)
    assert (await rows(mms, second.version + 1)).reset
