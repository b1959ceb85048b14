"""Bindings entered by hand, imported and exported: pre-provisioned mode."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from mmserver.messages import BindingEntry, BindingState, Deregistration, Role
from mmserver.migration.errors import (
    BindingExists,
    BindingNotPaired,
    ForeignMigrationManagementServer,
    IdentitiesAlreadyLent,
    IdentitiesOutsideRealm,
    Refusal,
    UnknownPartner,
    ValidityOver,
)
from mmserver.migration.provisioning import ImportReport, Outcome


def pool_set(name: str, impus: int = 1) -> dict[str, Any]:
    return {
        "private_user_identity": f"mig-{name}@ims.mc2.lab",
        "public_user_identities": [f"sip:mig-{name}{number}@ims.mc2.lab" for number in range(impus)],
    }


def entry(**changes: Any) -> BindingEntry:
    body: dict[str, Any] = {
        "role": "partner",
        "mc_service_ids": ["sip:a@mc1.lab"],
        "other_mc_system": "mc1",
        "migration_management_server": "mms.mc1.lab",
        "identities": pool_set("by-hand"),
        "counterpart": {
            "private_user_identity": "mig-a@ims.mc1.lab",
            "public_user_identities": ["sip:mig-a0@ims.mc1.lab"],
        },
        "valid_until": "2030-01-01T00:00:00Z",
    }
    return BindingEntry.model_validate(body | changes)


def line(name: str, **changes: Any) -> str:
    counterpart = {"private_user_identity": f"p-{name}@ims.mc1.lab", "public_user_identities": ["sip:p@ims.mc1.lab"]}
    made = entry(binding=name, identities=pool_set(name), counterpart=counterpart, **changes)
    return made.model_dump_json(exclude_none=True)


async def imported(mms: Any, *lines: str, first_line: int = 1, dry_run: bool = False) -> ImportReport:
    return await mms.provisioning.import_lines(list(lines), first_line, "admin", dry_run=dry_run)  # type: ignore[no-any-return]


async def exported(mms: Any, *wanted: Any) -> list[str]:
    role, system, user = (*wanted, None, None, None)[:3]
    return [text async for text in mms.provisioning.export_lines(role, system, user)]


async def test_a_binding_entered_by_hand_is_allocated_at_once(mms: Any) -> None:
    """Pre-provisioned mode: no CSC-X request, no CSC-17."""
    entered = await mms.provisioning.enter(entry(binding="by-hand-1"), "admin")
    assert (entered.handle, entered.state, entered.role) == ("by-hand-1", BindingState.ALLOCATED, Role.PARTNER)
    assert await mms.partner("a") == entered  # step 9 with the same primary set finds it


async def test_the_same_entry_again_changes_validity_and_enabled_only(mms: Any) -> None:
    first = await mms.provisioning.enter(entry(), "admin")
    again = await mms.provisioning.enter(entry(enabled=False), "admin")
    assert (again.handle, again.enabled) == (first.handle, False)
    with pytest.raises(BindingExists):
        await mms.provisioning.enter(entry(identities=pool_set("other")), "admin")


async def test_a_primary_binding_by_hand_may_equal_the_default_set(mms: Any) -> None:
    default = pool_set("x")
    for partner in ("mc1", "mc3"):
        entered = await mms.provisioning.enter(
            entry(role="primary", other_mc_system=partner, identities=default, counterpart=default), "admin"
        )
        assert entered.scope == partner


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"identities": pool_set("two", 2)}, BindingNotPaired),
        ({"identities": {**pool_set("x"), "private_user_identity": "x@elsewhere.org"}}, IdentitiesOutsideRealm),
        ({"counterpart": pool_set("x")}, IdentitiesOutsideRealm),
        ({"other_mc_system": "mc9"}, UnknownPartner),
        ({"other_mc_system": "mc9", "role": "primary"}, UnknownPartner),
        ({"migration_management_server": "mms.mc9.lab"}, ForeignMigrationManagementServer),
        ({"valid_until": "2020-01-01T00:00:00Z"}, ValidityOver),
    ],
)
async def test_a_wrong_entry_is_refused(mms: Any, changes: dict[str, Any], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        await mms.provisioning.enter(entry(**changes), "admin")


async def test_a_handle_names_one_binding(mms: Any) -> None:
    await mms.provisioning.enter(entry(binding="one"), "admin")
    other = {"private_user_identity": "mig-b@ims.mc1.lab", "public_user_identities": ["sip:mig-b@ims.mc1.lab"]}
    with pytest.raises(BindingExists):
        await mms.provisioning.enter(entry(binding="one", counterpart=other), "admin")
    with pytest.raises(IdentitiesAlreadyLent):
        await mms.provisioning.enter(entry(binding="two", counterpart=other), "admin")


async def test_disabling_by_entry_takes_the_ue_out_of_the_core(mms: Any) -> None:
    binding = await mms.registered()
    lent, bound = binding.identities, binding.counterpart
    off = entry(
        identities={
            "private_user_identity": lent.private_user_identity,
            "public_user_identities": lent.public_user_identities,
        },
        counterpart={
            "private_user_identity": bound.private_user_identity,
            "public_user_identities": bound.public_user_identities,
        },
        enabled=False,
    )
    entered = await mms.provisioning.enter(off, "admin")
    assert (entered.enabled, entered.deregistration) == (False, Deregistration.PENDING)


async def test_an_import_reports_each_refused_line_and_takes_the_others(mms: Any) -> None:
    report = await imported(
        mms,
        line("one"),
        "",
        "{",
        line("two", other_mc_system="mc9"),
        json.dumps({"role": "partner"}),
        line("three"),
        line("one").replace("p-one", "p-other").replace('"one"', '"four"'),
        first_line=101,
    )
    assert report.outcomes == {Outcome.ENTERED: 2, Outcome.CHANGED: 0, Outcome.UNCHANGED: 0}
    assert [(one.line, one.code) for one in report.refused] == [
        (103, "invalid-request"),
        (104, "unknown-mc-system"),
        (105, "invalid-request"),
        (107, "identities-already-lent"),
    ]
    assert "mc_service_ids" in report.refused[2].detail
    assert [binding.handle for binding in await mms.server.find_all(None, None, None)] == ["one", "three"]


async def test_the_same_lines_again_change_nothing(mms: Any) -> None:
    await imported(mms, line("one"), line("two"))
    before = [(one.handle, one.version) for one in await mms.server.find_all(None, None, None)]
    report = await imported(mms, line("one"), line("two"))
    assert report.outcomes[Outcome.UNCHANGED] == 2
    assert [(one.handle, one.version) for one in await mms.server.find_all(None, None, None)] == before


async def test_a_dry_run_reports_the_same_and_writes_nothing(mms: Any) -> None:
    lines = (line("one"), line("one").replace('"one"', '"again"').replace("p-one", "p-x"), "nonsense")
    dry = await imported(mms, *lines, dry_run=True)
    assert await mms.server.find_all(None, None, None) == []
    async with mms.store.reading() as transaction:
        assert await transaction.count() == 0
    assert await imported(mms, *lines) == dry


async def test_what_is_exported_can_be_imported_elsewhere(mms: Any, make_config: Callable[..., Any]) -> None:
    await mms.allocated("a", impus=2)
    await mms.registered("b")
    await mms.lent("c")
    await mms.partner("held")
    lines = await exported(mms)
    assert len(lines) == 3
    for binding in await mms.server.find_all(None, None, None):
        await mms.withdrawal.release(binding.handle, "", "admin")
    mms.now += 3600
    await mms.withdrawal.sweep()
    assert await exported(mms) == []
    report = await imported(mms, *lines)
    assert (report.refused, report.outcomes[Outcome.ENTERED]) == ([], 3)
    assert await exported(mms) == lines


async def test_an_export_is_of_one_role_system_or_user(mms: Any) -> None:
    await mms.allocated("a")
    await mms.lent("c", partner_mc_system="mc3")
    assert len(await exported(mms, Role.PRIMARY)) == 1
    assert len(await exported(mms, None, "mc1")) == 1
    assert len(await exported(mms, None, None, "sip:c@mc2.lab")) == 1
    assert await exported(mms, Role.PARTNER, "mc3") == []


async def test_an_import_brings_no_stolen_ue_back(mms: Any) -> None:
    await imported(mms, line("one"))
    await mms.withdrawal.disable("one", "stolen", "proxy1.mc2.lab")
    assert (await imported(mms, line("one"))).outcomes[Outcome.UNCHANGED] == 1
    assert not (await mms.server.get("one")).enabled


async def test_an_import_lifts_no_withdrawal(mms: Any) -> None:
    row = await mms.user_withdrawals.withdraw(Role.PARTNER, "mc1", "sip:a@mc1.lab", "", "admin")
    await imported(mms, line("one"))
    assert not (await mms.server.get("one")).enabled
    await mms.user_withdrawals.restore(row.id, "", "admin")
    assert (await mms.server.get("one")).enabled


async def test_an_imported_binding_is_what_step_9_finds_in_pre_provisioned_mode(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(allocation__partner={"mode": "pre-provisioned"})
    await imported(mms, entry(binding="one").model_dump_json(exclude_none=True))
    assert (await mms.partner("a")).handle == "one"


async def test_a_moment_finer_than_json_is_no_change(mms: Any) -> None:
    mms.now += 0.000_000_4
    await mms.lent()
    assert (await imported(mms, *await exported(mms))).outcomes[Outcome.UNCHANGED] == 1


async def test_lines_that_name_the_same_keep_their_order(mms: Any) -> None:
    """A binding, then another validity for it, then its identities for somebody else, among lines that are new."""
    later = "2031-01-01T00:00:00Z"
    counterpart = {"private_user_identity": "q@ims.mc1.lab", "public_user_identities": ["sip:q@ims.mc1.lab"]}
    thief = entry(binding="thief", identities=pool_set("a"), counterpart=counterpart).model_dump_json(exclude_none=True)
    report = await imported(mms, line("a"), line("b"), line("a", valid_until=later), thief, line("c"), line("b"))
    assert [report.outcomes[one] for one in (Outcome.ENTERED, Outcome.CHANGED, Outcome.UNCHANGED)] == [3, 1, 1]
    assert [(one.line, one.code) for one in report.refused] == [(4, "identities-already-lent")]


async def test_a_line_that_cannot_be_stored_hinders_no_other(mms: Any) -> None:
    """One set names an IMPU twice: together with it none can be added, alone all others can."""
    twice = {"private_user_identity": "mig-x@ims.mc2.lab", "public_user_identities": ["sip:mig-x@ims.mc2.lab"] * 2}
    theirs = {"private_user_identity": "p-x@ims.mc1.lab", "public_user_identities": ["sip:p@ims.mc1.lab"] * 2}
    body = entry(binding="x").model_dump(mode="json", exclude_none=True) | {"identities": twice, "counterpart": theirs}
    report = await imported(mms, line("a"), json.dumps(body), line("b"))
    assert report.outcomes[Outcome.ENTERED] == 2
    assert [one.line for one in report.refused] == [2]


async def test_a_thousand_new_lines_are_few_statements(mms: Any) -> None:
    statements: list[str] = []
    event.listen(mms.store._engine.sync_engine, "before_cursor_execute", lambda *at: statements.append(at[2]))
    report = await imported(mms, *(line(f"n{number}") for number in range(1000)))
    assert report.outcomes[Outcome.ENTERED] == 1000
    entered = len(statements)
    await imported(mms, *(line(f"n{number}") for number in range(1000)))
    assert (entered / 1000 < 0.25, (len(statements) - entered) / 1000 < 0.1) == (True, True)
