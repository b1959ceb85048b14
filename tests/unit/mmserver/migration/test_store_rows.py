"""A binding as a row and back; long keys as their digest."""

from dataclasses import replace
from typing import Any

from mmserver.messages import BindingState, Deregistration
from mmserver.migration.bindings import Registration
from mmserver.migration.schema import bindings
from mmserver.migration.store_rows import KEY_MAX, from_row, stored_key, to_row


async def test_every_member_goes_there_and_back(mms: Any) -> None:
    plain = await mms.allocated(impus=2)
    full = replace(
        plain,
        state=BindingState.REGISTERED,
        registration=Registration("sip:s", "scscf.mc2.lab", "ims.mc2.lab", 5.5),
        deregistration=Deregistration.PENDING,
        enabled=False,
        releasing=True,
        held_until=1.0,
        quarantined_until=2.0,
        withdrawal="w-1",
        unused_since=3.0,
        unused_until=4.0,
    )
    for binding in (plain, full):
        assert from_row(to_row(binding)) == binding


async def test_a_row_has_every_column_but_the_databases_own_number(mms: Any) -> None:
    assert set(to_row(await mms.allocated())) == {column.name for column in bindings.c} - {"id"}


def test_only_a_long_key_is_digested() -> None:
    assert stored_key("k" * KEY_MAX) == "k" * KEY_MAX
    assert stored_key("k" * (KEY_MAX + 1)).startswith("sha256:") and len(stored_key("k" * 5000)) == 71
