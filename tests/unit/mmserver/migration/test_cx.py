"""The MMS as SIP database of lent identities: each row of the design's list (TS 29.228 §6.1)."""

from dataclasses import replace
from typing import Any

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, LIR, MAR, SAR, TGPP, UAR, CommandType
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.result_codes import ExperimentalResultCode as Experimental
from diameter_proxy.diameter.values import ServerAssignmentType as Assignment
from diameter_proxy.diameter.values import UserAuthorizationType as Authorization
from mmserver.messages import BindingState
from mmserver.migration.agreements import Agreements
from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.config import FilterCriterion
from mmserver.migration.cx import CxServer
from mmserver.migration.store import Change

SERVER = "sip:scscf.mc2.lab:6060"
BASE = 0  # vendor of Result-Code


def encode(command: CommandType, *avps: bytes) -> bytes:
    common = [
        d.SESSION_ID.encode("scscf.mc2.lab;1;1"),
        d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
        d.ORIGIN_HOST.encode("scscf.mc2.lab"),
        d.ORIGIN_REALM.encode("ims.mc2.lab"),
        d.DESTINATION_REALM.encode("ims.mc2.lab"),
    ]
    return encode_request(command, hop_by_hop=7, end_to_end=9, avps=[*common, *avps])


def uar(binding: IdentityBinding, kind: Authorization | None = None, **changes: str) -> bytes:
    avps = [
        d.USER_NAME.encode(changes.get("impi", binding.identities.private_user_identity)),
        d.PUBLIC_IDENTITY.encode(changes.get("impu", binding.identities.public_user_identities[0])),
        d.VISITED_NETWORK_IDENTIFIER.encode(b"ims.mc2.lab"),
    ]
    return encode(UAR, *avps, *([] if kind is None else [d.USER_AUTHORIZATION_TYPE.encode(kind)]))


def sar(binding: IdentityBinding, kind: Assignment, server: str = SERVER, **changes: str) -> bytes:
    return encode(
        SAR,
        d.PUBLIC_IDENTITY.encode(changes.get("impu", binding.identities.public_user_identities[0])),
        d.SERVER_NAME.encode(server),
        d.USER_NAME.encode(changes.get("impi", binding.identities.private_user_identity)),
        d.SERVER_ASSIGNMENT_TYPE.encode(kind),
        d.USER_DATA_ALREADY_AVAILABLE.encode(0),  # type: ignore[arg-type]  # the wire's number
    )


def lir(impu: str) -> bytes:
    return encode(LIR, d.PUBLIC_IDENTITY.encode(impu))


async def ask(mms: Any, octets: bytes) -> Message:
    answer = await mms.cx.answer(octets)
    assert answer is not None
    message = Message.decode(answer)
    assert (message.header.hop_by_hop, message.header.end_to_end) == (7, 9)
    assert message.require(d.ORIGIN_HOST) == "mms.mc2.lab"
    return message


async def registered(mms: Any) -> IdentityBinding:
    binding: IdentityBinding = await mms.allocated()
    assert (await ask(mms, sar(binding, Assignment.REGISTRATION))).result() == (BASE, 2001)
    return await mms.server.get(binding.handle)  # type: ignore[no-any-return]


async def test_uar_of_an_unregistered_set_offers_one_server_for_the_binding(make_mms: Any) -> None:
    mms = make_mms(diameter__scscf=["sip:one.mc2.lab:6060", "sip:two.mc2.lab:6060"])
    binding = await mms.allocated()
    names = set()
    for _ in range(3):
        answer = await ask(mms, uar(binding))
        assert answer.result() == (TGPP, 2001)
        capabilities = answer.group(d.SERVER_CAPABILITIES)
        assert capabilities is not None
        names.update(capabilities.all(d.SERVER_NAME))
    assert len(names) == 1


async def test_uar_of_a_registered_set_names_its_server(mms: Any) -> None:
    answer = await ask(mms, uar(await registered(mms)))
    assert (answer.result(), answer.get(d.SERVER_NAME)) == ((TGPP, 2002), SERVER)


async def test_uar_for_deregistration_names_the_server_or_says_not_registered(mms: Any) -> None:
    binding = await mms.allocated()
    assert (await ask(mms, uar(binding, Authorization.DE_REGISTRATION))).result() == (TGPP, 5003)
    await registered(mms)
    answer = await ask(mms, uar(binding, Authorization.DE_REGISTRATION))
    assert (answer.result(), answer.get(d.SERVER_NAME)) == ((BASE, 2001), SERVER)


async def test_uar_for_capabilities_names_the_whole_list(make_mms: Any) -> None:
    servers = ["sip:one.mc2.lab:6060", "sip:two.mc2.lab:6060"]
    mms = make_mms(diameter__scscf=servers)
    answer = await ask(mms, uar(await mms.allocated(), Authorization.REGISTRATION_AND_CAPABILITIES))
    capabilities = answer.group(d.SERVER_CAPABILITIES)
    assert answer.result() == (BASE, 2001)
    assert capabilities is not None
    assert capabilities.all(d.SERVER_NAME) == servers


async def test_uar_of_what_is_not_bound_is_5001(mms: Any) -> None:
    held = await mms.partner("held")
    assert (await ask(mms, uar(held))).result() == (TGPP, 5001)
    expired = await mms.allocated("expired")
    mms.now += 86400
    assert (await ask(mms, uar(expired))).result() == (TGPP, 5001)
    assert (await ask(mms, uar(expired, impi="mig-no@ims.mc2.lab", impu="sip:mig-no@ims.mc2.lab"))).result() == (
        TGPP,
        5001,
    )
    await mms.withdrawal.release(expired.handle, "", "admin")
    assert (await ask(mms, uar(expired))).result() == (TGPP, 5001)


async def test_uar_of_a_primary_set_is_5001(mms: Any) -> None:
    """A set that we lend outbound is not served in our own core."""
    binding = await mms.primary()
    confirmed = await mms.server.confirm(binding.handle, "", "cms.mc2.lab")
    assert (await ask(mms, uar(confirmed))).result() == (TGPP, 5001)


async def test_uar_of_a_disabled_set_is_5004(mms: Any) -> None:
    binding = await mms.allocated()
    await mms.withdrawal.disable(binding.handle, "", "admin")
    assert (await ask(mms, uar(binding))).result() == (TGPP, 5004)


@pytest.mark.parametrize("kind", [Authorization.REGISTRATION, Authorization.DE_REGISTRATION])
async def test_identities_of_two_sets_are_no_pair(mms: Any, kind: Authorization) -> None:
    first, second = await mms.allocated("a"), await mms.allocated("b")
    theirs = second.identities.public_user_identities[0]
    assert (await ask(mms, uar(first, kind, impu=theirs))).result() == (TGPP, 5002)
    assert (await ask(mms, uar(first, kind, impu="sip:native@ims.mc2.lab"))).result() == (TGPP, 5002)
    assert (await ask(mms, uar(first, kind, impi="native@ims.mc2.lab"))).result() == (TGPP, 5002)
    assert (await ask(mms, sar(first, Assignment.REGISTRATION, impu=theirs))).result() == (TGPP, 5002)


async def test_a_host_in_capitals_is_the_same_identity(mms: Any) -> None:
    binding = await mms.allocated()
    impu = binding.identities.public_user_identities[0].replace("ims.mc2.lab", "IMS.MC2.LAB")
    assert (await ask(mms, uar(binding, impu=impu))).result() == (TGPP, 2001)


async def test_sar_stores_the_server_and_answers_the_whole_implicit_set(mms: Any) -> None:
    binding = await mms.allocated(impus=2)
    answer = await ask(mms, sar(binding, Assignment.REGISTRATION))
    assert answer.result() == (BASE, 2001)
    document = answer.require(d.USER_DATA).decode()
    assert all(text in document for text in binding.identities.mapped)
    stored = await mms.server.get(binding.handle)
    assert stored.state is BindingState.REGISTERED
    assert (stored.registration.server_name, stored.registration.origin_host, stored.registration.origin_realm) == (
        SERVER,
        "scscf.mc2.lab",
        "ims.mc2.lab",
    )


async def test_sar_of_another_server_while_registered_is_5005(mms: Any) -> None:
    binding = await registered(mms)
    for kind in (Assignment.REGISTRATION, Assignment.RE_REGISTRATION):
        answer = await ask(mms, sar(binding, kind, "sip:other.mc2.lab:6060"))
        assert answer.result() == (TGPP, 5005)
    mms.now += 600  # aged: nobody is registered any more
    assert (await ask(mms, sar(binding, Assignment.REGISTRATION, "sip:other.mc2.lab:6060"))).result() == (BASE, 2001)


async def test_sar_of_a_disabled_set_is_refused(mms: Any) -> None:
    binding = await mms.allocated()
    await mms.withdrawal.disable(binding.handle, "", "admin")
    assert (await ask(mms, sar(binding, Assignment.REGISTRATION))).result() == (TGPP, 5004)


@pytest.mark.parametrize("number", [4, 5, 8, 9, 10, 11])
async def test_sar_of_deregistration_clears_even_when_disabled(mms: Any, number: int) -> None:
    binding = await registered(mms)
    async with mms.store.writing() as transaction:
        from dataclasses import replace

        from mmserver.migration.store import Change

        old = await transaction.find(binding.handle)
        await transaction.save(old, replace(old, enabled=False), Change("binding.disabled", "test", mms.now))
    assert (await ask(mms, sar(binding, Assignment(number)))).result() == (BASE, 2001)
    cleared = await mms.server.get(binding.handle)
    assert (cleared.state, cleared.registration) == (BindingState.ALLOCATED, None)


async def test_a_stranger_cannot_deregister(mms: Any) -> None:
    binding = await registered(mms)
    answer = await ask(mms, sar(binding, Assignment.USER_DEREGISTRATION, "sip:other.mc2.lab:6060"))
    assert answer.result() == (BASE, 5012)
    assert (await mms.server.get(binding.handle)).state is BindingState.REGISTERED


async def test_sar_that_wants_the_name_kept_is_told_that_it_is_not(mms: Any) -> None:
    binding = await registered(mms)
    answer = await ask(mms, sar(binding, Assignment.USER_DEREGISTRATION_STORE_SERVER_NAME))
    assert answer.result() == (TGPP, 2004)


async def test_sar_without_assignment_reads_the_profile_at_the_right_server_only(mms: Any) -> None:
    binding = await registered(mms)
    assert (await ask(mms, sar(binding, Assignment.NO_ASSIGNMENT))).get(d.USER_DATA)
    answer = await ask(mms, sar(binding, Assignment.NO_ASSIGNMENT, "sip:other.mc2.lab:6060"))
    assert (answer.result(), answer.get(d.USER_DATA)) == ((BASE, 5012), None)


async def test_sar_of_an_unregistered_user_is_no_assignment_for_a_lent_set(mms: Any) -> None:
    assert (await ask(mms, sar(await mms.allocated(), Assignment.UNREGISTERED_USER))).result() == (TGPP, 5007)


async def test_lir_names_the_server_while_registered(mms: Any) -> None:
    binding = await mms.allocated()
    impu = binding.identities.public_user_identities[0]
    assert (await ask(mms, lir(impu))).result() == (TGPP, 5003)
    await registered(mms)
    answer = await ask(mms, lir(impu))
    assert (answer.result(), answer.get(d.SERVER_NAME)) == ((BASE, 2001), SERVER)
    mms.now += 600
    assert (await ask(mms, lir(impu))).result() == (TGPP, 5003)
    assert (await ask(mms, lir("sip:mig-no@ims.mc2.lab"))).result() == (TGPP, 5001)


async def test_mar_is_not_for_us(mms: Any) -> None:
    answer = await ask(mms, encode(MAR))
    assert (answer.result(), answer.header.is_error) == ((BASE, 3001), True)


async def test_another_destination_is_not_us(mms: Any) -> None:
    answer = await ask(mms, encode(LIR, d.DESTINATION_HOST.encode("hss.mc2.lab")))
    assert answer.result() == (BASE, 3002)


async def test_a_missing_avp_is_5005_and_named(mms: Any) -> None:
    answer = await ask(mms, encode(LIR))
    assert answer.result() == (BASE, 5005)
    assert answer.get(d.FAILED_AVP)


async def test_an_avp_whose_v_bit_contradicts_its_definition_is_3009(mms: Any) -> None:
    """RFC 6733 §7.1.3, for the messages that this server processes: User-Name is of no vendor."""
    answer = await ask(mms, encode(LIR, bytes.fromhex("00000001 c0000010 00000000 75403100")))
    assert (answer.result(), answer.header.is_error) == ((BASE, 3009), True)
    assert answer.get(d.FAILED_AVP) is not None


async def test_a_store_that_fails_is_3004(mms: Any, tmp_path: Any) -> None:
    binding = await mms.allocated()
    await mms.store.close()
    for file in tmp_path.glob("mms.sqlite*"):
        file.unlink()
    answer = await ask(mms, uar(binding))
    assert (answer.result(), answer.header.is_error) == ((BASE, 3004), True)


async def test_octets_without_a_header_get_no_answer(mms: Any) -> None:
    assert await mms.cx.answer(b"\x01\x00") is None


async def test_filter_criteria_of_a_service_follow_the_services_of_the_agreement(mms: Any) -> None:
    """The profile of an inbound user triggers what the agreement grants, and after a reload what it grants then."""
    services = ("mcptt", "mcvideo", "mcdata")
    criteria = [
        FilterCriterion(application_server=f"sip:{service or 'all'}.mc2.lab", service=service)
        for service in (None, *services)
    ]
    table = mms.config.partners[0].model_copy(update={"initial_filter_criteria": tuple(criteria)})
    agreements = Agreements([table])
    mms.cx = CxServer(mms.config, mms.store, clock=mms.clock, agreements=agreements)
    binding = await mms.allocated()

    async def servers() -> list[str]:
        document = (await ask(mms, sar(binding, Assignment.REGISTRATION))).require(d.USER_DATA).decode()
        return [one for one in ("all", *services) if f"<ServerName>sip:{one}.mc2.lab</ServerName>" in document]

    assert await servers() == ["all", *services]
    agreements.replace([table.model_copy(update={"services": ("mcptt", "mcdata")})])
    assert await servers() == ["all", "mcptt", "mcdata"]


async def test_only_a_registration_that_changes_nothing_but_its_time_is_a_renewal(
    mms: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a loss of power may undo: the later time, never where a set is registered."""
    asked: list[bool] = []
    real = mms.store._transaction
    monkeypatch.setattr(mms.store._renewal, "renew", lambda *_: None)  # as where it cannot be done at once
    monkeypatch.setattr(
        mms.store, "_transaction", lambda *, is_renewal: asked.append(is_renewal) or real(is_renewal=is_renewal)
    )
    binding = await mms.allocated()
    asked.clear()
    for kind, later_s in (
        (Assignment.REGISTRATION, 0),
        (Assignment.RE_REGISTRATION, 60),
        (Assignment.REGISTRATION, 60),
    ):
        mms.now += later_s
        assert (await ask(mms, sar(binding, kind))).result() == (BASE, 2001)
    assert asked == [False, True, True]
    shown = await mms.server.get(binding.handle)
    assert shown.registration is not None and shown.registration.until > mms.now
    # Lapsed: whoever comes now registers anew, perhaps elsewhere.
    for server in (SERVER, "sip:other.mc2.lab:6060"):
        mms.now = (await mms.server.get(binding.handle)).registration.until
        assert (await ask(mms, sar(binding, Assignment.REGISTRATION, server))).result() == (BASE, 2001)
    assert asked[3:] == [False, False]


async def test_a_renewal_at_once_opens_no_transaction(mms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    binding = await registered(mms)
    await ask(mms, sar(binding, Assignment.RE_REGISTRATION))  # the first goes the ordinary way
    monkeypatch.setattr(mms.store, "_transaction", None)
    mms.now += 60
    assert (await ask(mms, sar(binding, Assignment.RE_REGISTRATION))).result() == (BASE, 2001)
    shown = (await mms.server.get(binding.handle)).registration
    assert shown is not None and shown.until == mms.now + mms.config.lifetime.registration_s


@pytest.mark.parametrize("change", [{"enabled": False}, {"releasing": True}])
async def test_no_registration_is_renewed_that_is_not_to_be_served(mms: Any, change: dict[str, bool]) -> None:
    binding = await registered(mms)
    async with mms.store.writing() as transaction:
        old = await transaction.find(binding.handle)
        stored = await transaction.save(old, replace(old, **change), Change("test", "test", mms.now))
    mms.now += 60
    refused = (await ask(mms, sar(binding, Assignment.RE_REGISTRATION))).result()
    assert refused == (TGPP, Experimental.ERROR_ROAMING_NOT_ALLOWED)
    assert (await mms.server.get(binding.handle)).registration == stored.registration


async def test_a_registration_cleared_in_between_is_stored_durably(mms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    binding = await registered(mms)
    real, asked = mms.store.find_by_identity, []

    async def clears_after(identity: str) -> list[IdentityBinding]:
        found: list[IdentityBinding] = await real(identity)
        if not asked:
            asked.append(identity)
            assert (await ask(mms, sar(binding, Assignment.USER_DEREGISTRATION))).result() == (BASE, 2001)
        return found

    monkeypatch.setattr(mms.store, "find_by_identity", clears_after)
    assert (await ask(mms, sar(binding, Assignment.RE_REGISTRATION))).result() == (BASE, 2001)
    async with mms.store.reading() as transaction:
        trail = [row["event"] for row in await transaction.audit_trail(binding.handle)]
    assert trail[-3:] == ["registration.stored", "registration.cleared", "registration.stored"]
    assert (await mms.server.get(binding.handle)).state is BindingState.REGISTERED
