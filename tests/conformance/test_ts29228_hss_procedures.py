"""The HSS's Cx procedures, message by message (TS 29.228 §6, TS 29.229 §6.1)."""

import os
from collections.abc import Iterator
from itertools import count

import pytest
from lxml import etree

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, LIR, MAR, SAR, UAR, CommandType
from diameter_proxy.diameter.dictionary import TGPP
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.values import (
    AuthSessionState,
    ServerAssignmentType,
    UserAuthorizationType,
    UserDataAlreadyAvailable,
)
from lab.systems.hss.authentication_centre import AuthenticationCentre
from lab.systems.hss.config import Mode, UserTable
from lab.systems.hss.cx import HomeSubscriberServer, Node
from lab.systems.hss.store import Store
from lab.systems.hss.subscribers import directory_of
from ue_agent.aka.errors import SynchronisationFailure
from ue_agent.aka.isim import Isim

REALM, VISITED = "ims.mc1.lab", "ims.mc1.lab"
SCSCF, OTHER_SCSCF = "sip:scscf.mc1.lab:6060", "sip:scscf2.mc1.lab:6060"
HOME = ("001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab")
LENT = ("mig-1@ims.mc1.lab", "sip:mig-1@ims.mc1.lab")
K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"
T = ServerAssignmentType
Pair = tuple[str, str]


class Core:
    """An HSS and the CSCFs that ask it."""

    def __init__(self, mode: Mode = Mode.PLAIN, store: Store | None = None, **user: object) -> None:
        impis = [
            {"private_user_identity": HOME[0], "public_user_identities": [HOME[1], "tel:+4912345"]},
            {"private_user_identity": LENT[0], "public_user_identities": [LENT[1]]},
        ]
        table = UserTable.model_validate({"name": "alice", "k": K, "opc": OPC, "impis": impis, **user})
        self.store = store or Store(":memory:")
        self.hss = HomeSubscriberServer(
            node=Node("hss.mc1.lab", REALM),
            directory=directory_of([table]),
            store=self.store,
            centre=AuthenticationCentre(self.store, os.urandom),
            scscf=(SCSCF, OTHER_SCSCF),
            mode=mode,
        )
        self.hss.start()
        self._numbers = count(1)

    def ask(self, command: CommandType, *avps: bytes) -> Message:
        """Return the answer, having checked what every answer must repeat (RFC 6733 §6.2)."""
        number = next(self._numbers)
        session_id = f"cscf.mc1.lab;{number}"
        common = [
            d.SESSION_ID.encode(session_id),
            d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
            d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
            d.ORIGIN_HOST.encode("cscf.mc1.lab"),
            d.ORIGIN_REALM.encode(REALM),
            d.DESTINATION_REALM.encode(REALM),
        ]
        octets = encode_request(command, hop_by_hop=number, end_to_end=number + 7, avps=[*common, *avps])
        answer = Message.decode(self.hss.answer(octets))
        assert (answer.header.hop_by_hop, answer.header.end_to_end) == (number, number + 7)
        assert (answer.header.is_request, answer.header.is_proxiable) == (False, True)
        assert answer.get(d.SESSION_ID) == session_id
        assert answer.get(d.AUTH_SESSION_STATE) is AuthSessionState.NO_STATE_MAINTAINED
        assert answer.get(d.ORIGIN_HOST) == "hss.mc1.lab"
        return answer

    def uar(self, pair: Pair = HOME, kind: UserAuthorizationType | None = None, visited: str = VISITED) -> Message:
        extra = () if kind is None else (d.USER_AUTHORIZATION_TYPE.encode(kind),)
        network = d.VISITED_NETWORK_IDENTIFIER.encode(visited.encode())
        return self.ask(UAR, d.USER_NAME.encode(pair[0]), d.PUBLIC_IDENTITY.encode(pair[1]), network, *extra)

    def mar(self, pair: Pair = HOME, server_name: str = SCSCF, sip_authorization: bytes | None = None) -> Message:
        item = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
        if sip_authorization is not None:
            item += d.SIP_AUTHORIZATION.encode(sip_authorization)
        return self.ask(
            MAR,
            d.PUBLIC_IDENTITY.encode(pair[1]),
            d.USER_NAME.encode(pair[0]),
            d.SIP_NUMBER_AUTH_ITEMS.encode(1),
            d.SIP_AUTH_DATA_ITEM.encode(item),
            d.SERVER_NAME.encode(server_name),
        )

    def sar(
        self, kind: ServerAssignmentType, pair: Pair = HOME, server_name: str = SCSCF, *, has_data: bool = False
    ) -> Message:
        return self.ask(
            SAR,
            d.PUBLIC_IDENTITY.encode(pair[1]),
            d.SERVER_NAME.encode(server_name),
            d.USER_NAME.encode(pair[0]),
            d.SERVER_ASSIGNMENT_TYPE.encode(kind),
            d.USER_DATA_ALREADY_AVAILABLE.encode(UserDataAlreadyAvailable(int(has_data))),
        )

    def lir(self, impu: str = HOME[1]) -> Message:
        return self.ask(LIR, d.PUBLIC_IDENTITY.encode(impu))


def challenge(answer: Message) -> tuple[bytes, bytes, bytes]:
    """Return RAND, AUTN, XRES of an MAA."""
    (item,) = answer.groups(d.SIP_AUTH_DATA_ITEM)
    octets = item.require(d.SIP_AUTHENTICATE)
    return octets[:16], octets[16:], item.require(d.SIP_AUTHORIZATION)


@pytest.fixture
def core() -> Iterator[Core]:
    core = Core()
    yield core
    core.store.close()


@pytest.fixture
def isim() -> Isim:
    return Isim(HOME[0], [HOME[1]], REALM, [], bytes.fromhex(K), bytes.fromhex(OPC))


def test_uar_of_a_new_user_gets_capabilities(core: Core) -> None:
    """TS 29.228 §6.1.1.1 step 5: not registered, no S-CSCF: DIAMETER_FIRST_REGISTRATION, Server-Capabilities."""
    answer = core.uar()
    assert answer.result() == (TGPP, 2001)
    assert answer.get(d.SERVER_NAME) is None
    capabilities = answer.group(d.SERVER_CAPABILITIES)
    assert capabilities is not None
    assert capabilities.all(d.SERVER_NAME) == [SCSCF, OTHER_SCSCF]


def test_uar_after_a_mar_gets_the_s_cscf(core: Core) -> None:
    """TS 29.228 §6.1.1.1 step 5: authentication pending: DIAMETER_SUBSEQUENT_REGISTRATION, Server-Name."""
    core.mar()
    answer = core.uar()
    assert answer.result() == (TGPP, 2002)
    assert answer.get(d.SERVER_NAME) == SCSCF
    assert answer.get(d.SERVER_CAPABILITIES) is None


def test_uar_type_1_of_a_registered_user_gets_the_s_cscf(core: Core) -> None:
    """TS 29.228 §6.1.1.1 step 4: DE_REGISTRATION."""
    core.sar(T.REGISTRATION)
    answer = core.uar(kind=UserAuthorizationType.DE_REGISTRATION)
    assert (answer.result(), answer.get(d.SERVER_NAME)) == ((0, 2001), SCSCF)


def test_uar_type_1_of_an_unknown_registration_is_5003(core: Core) -> None:
    """TS 29.228 §6.1.1.1 step 4: DIAMETER_ERROR_IDENTITY_NOT_REGISTERED."""
    assert core.uar(kind=UserAuthorizationType.DE_REGISTRATION).result() == (TGPP, 5003)


def test_uar_type_2_gets_the_whole_list(core: Core) -> None:
    """TS 29.228 §6.1.1.1 step 4: REGISTRATION_AND_CAPABILITIES."""
    core.sar(T.REGISTRATION)
    answer = core.uar(kind=UserAuthorizationType.REGISTRATION_AND_CAPABILITIES)
    assert answer.get(d.SERVER_CAPABILITIES) is not None


def test_uar_of_identities_that_do_not_match_is_5002(core: Core) -> None:
    """TS 29.228 §6.1.1.1 step 2: DIAMETER_ERROR_IDENTITIES_DONT_MATCH."""
    assert core.uar((HOME[0], LENT[1])).result() == (TGPP, 5002)


def test_uar_of_an_unknown_user_is_5001(core: Core) -> None:
    """TS 29.228 §6.1.1.1 step 1: DIAMETER_ERROR_USER_UNKNOWN."""
    assert core.uar(("nobody@ims.mc1.lab", HOME[1])).result() == (TGPP, 5001)
    assert core.uar((HOME[0], "sip:nobody@ims.mc1.lab")).result() == (TGPP, 5001)


def test_uar_from_a_network_without_roaming_is_5004() -> None:
    """TS 29.228 §6.1.1.1 step 4: DIAMETER_ERROR_ROAMING_NOT_ALLOWED."""
    core = Core(visited_networks=[VISITED])
    assert core.uar(visited="ims.mc9.lab").result() == (TGPP, 5004)
    assert core.uar().result() == (TGPP, 2001)


def test_uar_of_a_barred_user_is_5003() -> None:
    """TS 29.228 §6.1.1.1 step 4: DIAMETER_AUTHORIZATION_REJECTED, a Result-Code."""
    assert Core(barred=True).uar().result() == (0, 5003)


def test_maa_carries_one_item_and_the_identities(core: Core, isim: Isim) -> None:
    """TS 29.229 §6.1.8, TS 33.203 §6.1: RAND || AUTN, XRES, CK, IK."""
    answer = core.mar()
    assert answer.result() == (0, 2001)
    assert (answer.get(d.USER_NAME), answer.get(d.PUBLIC_IDENTITY)) == HOME
    assert answer.get(d.SIP_NUMBER_AUTH_ITEMS) == 1
    (item,) = answer.groups(d.SIP_AUTH_DATA_ITEM)
    assert [span.code for span in item.spans] == [613, 608, 609, 610, 625, 626]
    assert item.get(d.SIP_AUTHENTICATION_SCHEME) == "Digest-AKAv1-MD5"
    rand, autn, xres = challenge(answer)
    result = isim.authenticate(rand, autn)
    assert result.res == xres
    assert (result.ck, result.ik) == (item.get(d.CONFIDENTIALITY_KEY), item.get(d.INTEGRITY_KEY))


def test_private_identities_of_one_isim_share_its_sequence_numbers(core: Core, isim: Isim) -> None:
    """TS 33.102 Annex C.1: the card accepts every challenge, whichever identity it came for."""
    for pair in (HOME, LENT, HOME, LENT):
        rand, autn, _ = challenge(core.mar(pair))
        isim.authenticate(rand, autn)
    assert isim.sequence_numbers.sqn_ms >> 5 == 4


def test_vectors_in_flight_in_two_systems_do_not_overtake_each_other(core: Core, isim: Isim) -> None:
    """TS 33.102 Annex C.1.2: each serving system has an IND of its own."""
    first, second = core.mar(HOME), core.mar(LENT)
    for answer in (second, first):
        rand, autn, _ = challenge(answer)
        isim.authenticate(rand, autn)


def test_resynchronisation_moves_the_sequence_number(core: Core, isim: Isim) -> None:
    """TS 29.228 §6.3.1 step 4, TS 33.102 §6.3.5: AUTS, then a vector that the card accepts."""
    rand, autn, _ = challenge(core.mar())
    isim.sequence_numbers = isim.sequence_numbers.accept(5000 << 5)
    with pytest.raises(SynchronisationFailure) as failure:
        isim.authenticate(rand, autn)
    rand, autn, _ = challenge(core.mar(sip_authorization=rand + failure.value.auts))
    isim.authenticate(rand, autn)
    assert isim.sequence_numbers.sqn_ms >> 5 == 5001
    assert core.hss.centre.counts["resynchronisations"] == 1


def test_a_wrong_mac_s_leaves_the_sequence_number(core: Core, isim: Isim) -> None:
    """TS 33.102 §6.3.5: not verified, SQN_HE is not reset; a fresh vector goes out all the same."""
    core.mar()
    answer = core.mar(sip_authorization=bytes(16) + b"\xff" * 14)
    assert answer.result() == (0, 2001)
    rand, autn, _ = challenge(answer)
    isim.authenticate(rand, autn)
    assert isim.sequence_numbers.sqn_ms >> 5 == 2
    assert core.hss.centre.counts["mac_s_failures"] == 1


def test_resynchronisation_from_another_s_cscf_is_5012(core: Core) -> None:
    """TS 29.228 §6.3.1 step 4: the names differ: DIAMETER_UNABLE_TO_COMPLY."""
    core.mar()
    assert core.mar(server_name=OTHER_SCSCF, sip_authorization=bytes(30)).result() == (0, 5012)


def test_mar_of_another_s_cscf_reassigns(core: Core) -> None:
    """TS 29.228 §6.3.1 step 5: the name differs: it is stored, authentication is pending."""
    core.sar(T.REGISTRATION)
    core.mar(server_name=OTHER_SCSCF)
    assert core.uar().get(d.SERVER_NAME) == OTHER_SCSCF
    assert core.sar(T.REGISTRATION, server_name=OTHER_SCSCF).result() == (0, 2001)


def test_mar_for_one_set_leaves_the_other_registered(core: Core) -> None:
    """A migrated UE's MAR for a lent set does not touch the home registration."""
    core.sar(T.REGISTRATION)
    core.mar(LENT, server_name=OTHER_SCSCF)
    assert core.lir().get(d.SERVER_NAME) == SCSCF


def test_saa_carries_the_whole_implicit_set(core: Core) -> None:
    """TS 29.228 §6.1.2.1 step 4: REGISTRATION: User-Data unless already available."""
    core.mar()
    answer = core.sar(T.REGISTRATION)
    assert (answer.result(), answer.get(d.USER_NAME)) == ((0, 2001), HOME[0])
    root = etree.fromstring(answer.require(d.USER_DATA))
    assert root.findtext("PrivateID") == HOME[0]
    assert [element.text for element in root.iter("Identity")] == [HOME[1], "tel:+4912345"]
    assert core.sar(T.RE_REGISTRATION, has_data=True).get(d.USER_DATA) is None


def test_sar_of_another_s_cscf_is_5005(core: Core) -> None:
    """TS 29.228 §6.1.2.1 step 4: DIAMETER_ERROR_IDENTITY_ALREADY_REGISTERED."""
    core.sar(T.REGISTRATION)
    assert core.sar(T.REGISTRATION, server_name=OTHER_SCSCF).result() == (TGPP, 5005)
    assert core.lir().get(d.SERVER_NAME) == SCSCF


@pytest.mark.parametrize(
    "kind",
    [
        T.TIMEOUT_DEREGISTRATION,
        T.USER_DEREGISTRATION,
        T.ADMINISTRATIVE_DEREGISTRATION,
        T.DEREGISTRATION_TOO_MUCH_DATA,
    ],
)
def test_a_deregistration_clears_the_s_cscf(core: Core, kind: ServerAssignmentType) -> None:
    """TS 29.228 §6.1.2.1 step 4: types 4, 5, 8, 11."""
    core.sar(T.REGISTRATION)
    assert core.sar(kind, has_data=True).result() == (0, 2001)
    assert core.lir().result() == (TGPP, 5003)
    assert core.uar().result() == (TGPP, 2001)


@pytest.mark.parametrize("kind", [T.AUTHENTICATION_FAILURE, T.AUTHENTICATION_TIMEOUT])
def test_a_failed_authentication_clears_what_was_pending(core: Core, kind: ServerAssignmentType) -> None:
    """TS 29.228 §6.1.2.1 step 4: types 9, 10: not registered: the name goes; registered: it stays."""
    core.mar()
    assert core.sar(kind).result() == (0, 2001)
    assert core.uar().result() == (TGPP, 2001)
    core.sar(T.REGISTRATION)
    core.sar(kind)
    assert core.lir().get(d.SERVER_NAME) == SCSCF


def test_lir(core: Core) -> None:
    """TS 29.228 §6.1.4.1: registered: Server-Name; not registered: 5003; unknown: 5001."""
    assert core.lir().result() == (TGPP, 5003)
    core.sar(T.REGISTRATION)
    assert (core.lir().result(), core.lir("tel:+4912345").get(d.SERVER_NAME)) == ((0, 2001), SCSCF)
    assert core.lir("sip:nobody@ims.mc1.lab").result() == (TGPP, 5001)


def test_mode_after_uar_refuses_a_mar_before_a_uar() -> None:
    """As Open5GS: 5002 until a UAR of the same pair came, and again after a restart; registrations are lost."""
    store = Store(":memory:")
    core = Core(Mode.AFTER_UAR, store)
    assert core.mar().result() == (TGPP, 5002)
    core.uar()
    assert core.mar().result() == (0, 2001)
    assert core.sar(T.REGISTRATION).result() == (0, 2001)
    restarted = Core(Mode.AFTER_UAR, store)
    assert restarted.mar().result() == (TGPP, 5002)
    assert restarted.lir().result() == (TGPP, 5003)
    assert restarted.store.sqn_he("alice") >> 5 == 1


def test_mode_imsi_only_knows_no_lent_identity() -> None:
    """As PyHSS and Open5GS: the user part of a private identity is an IMSI."""
    core = Core(Mode.IMSI_ONLY)
    assert core.mar(LENT).result() == (TGPP, 5001)
    assert core.mar(HOME).result() == (0, 2001)


def test_mode_no_association_takes_any_public_identity() -> None:
    """As PyHSS: the pair is not checked, which lets one user take another's identity."""
    core = Core(Mode.NO_ASSOCIATION)
    answer = core.mar((HOME[0], LENT[1]))
    assert answer.result() == (0, 2001)
    assert answer.get(d.PUBLIC_IDENTITY) == LENT[1]


def test_a_registration_survives_a_restart_in_mode_plain() -> None:
    """TS 29.228 §8: the HSS keeps its data."""
    store = Store(":memory:")
    Core(store=store).sar(T.REGISTRATION)
    assert Core(store=store).lir().get(d.SERVER_NAME) == SCSCF


def test_a_corrupt_xres_differs_and_nothing_else(core: Core, isim: Isim) -> None:
    """Lab only: the S-CSCF will answer 403."""
    core.hss.corrupt_res_for = frozenset({HOME[0]})
    rand, autn, xres = challenge(core.mar())
    assert isim.authenticate(rand, autn).res != xres
    rand, autn, xres = challenge(core.mar(LENT))
    assert isim.authenticate(rand, autn).res == xres
