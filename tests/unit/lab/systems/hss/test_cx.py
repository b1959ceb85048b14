"""Cx of the HSS, octets in and out: what a bad or refused request gets; the procedures are in tests/conformance."""

import os
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, LIR, MAR, PPR, SAR, UAR, CommandType
from diameter_proxy.diameter.dictionary import TGPP
from diameter_proxy.diameter.errors import FramingLost
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.values import ServerAssignmentType, UserDataAlreadyAvailable
from diameter_proxy.diameter.wire import encode_avp, encode_message
from lab.systems.hss.authentication_centre import AuthenticationCentre
from lab.systems.hss.config import Mode, SetTable, UserTable
from lab.systems.hss.cx import HomeSubscriberServer, Node
from lab.systems.hss.store import Store
from lab.systems.hss.subscribers import directory_of

SCSCF = "sip:scscf.mc1.lab:6060"
ALICE, ALICE_IMPU = "001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab"
_numbers = count(1)


def make_hss(mode: Mode = Mode.PLAIN, **user: object) -> HomeSubscriberServer:
    table = UserTable.model_validate(
        {
            "name": "alice",
            "k": "465b5ce8b199b49faa5f0a2ee238a6bc",
            "opc": "cd63cb71954a9f4e48a5994e37a02baf",
            "impis": [SetTable(private_user_identity=ALICE, public_user_identities=(ALICE_IMPU, "tel:+123"))],
            **user,
        }
    )
    store = Store(":memory:")
    return HomeSubscriberServer(
        node=Node("hss.mc1.lab", "ims.mc1.lab"),
        directory=directory_of([table]),
        store=store,
        centre=AuthenticationCentre(store, os.urandom),
        scscf=(SCSCF,),
        mode=mode,
    )


def common(realm: str = "ims.mc1.lab") -> list[bytes]:
    return [
        d.SESSION_ID.encode(f"scscf.mc1.lab;{next(_numbers)}"),
        d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
        d.ORIGIN_HOST.encode("scscf.mc1.lab"),
        d.ORIGIN_REALM.encode("ims.mc1.lab"),
        d.DESTINATION_REALM.encode(realm),
    ]


def request(command: CommandType, *avps: bytes, realm: str = "ims.mc1.lab") -> bytes:
    return encode_request(command, end_to_end=next(_numbers), avps=[*common(realm), *avps])


def mar(
    *, impi: str = ALICE, impu: str = ALICE_IMPU, scheme: str = "Digest-AKAv1-MD5", realm: str = "ims.mc1.lab"
) -> bytes:
    return request(
        MAR,
        d.USER_NAME.encode(impi),
        d.PUBLIC_IDENTITY.encode(impu),
        d.SIP_NUMBER_AUTH_ITEMS.encode(1),
        d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode(scheme)),
        d.SERVER_NAME.encode(SCSCF),
        realm=realm,
    )


def sar(kind: ServerAssignmentType, *avps: bytes) -> bytes:
    return request(
        SAR,
        *avps,
        d.SERVER_NAME.encode(SCSCF),
        d.SERVER_ASSIGNMENT_TYPE.encode(kind),
        d.USER_DATA_ALREADY_AVAILABLE.encode(UserDataAlreadyAvailable.USER_DATA_NOT_AVAILABLE),
    )


def result(answer: bytes) -> tuple[int, int] | None:
    return Message.decode(answer).result()


# fmt: off
MAR_REFUSALS = [
    # mode            asked                                                result (vendor, code)
    (Mode.PLAIN,      {},                                                  (0, 2001)),
    (Mode.PLAIN,      {"scheme": "digest-akav1-md5"},                      (0, 2001)),
    (Mode.PLAIN,      {"scheme": "unknown"},                               (0, 2001)),
    (Mode.PLAIN,      {"scheme": "SIP Digest"},                            (TGPP, 5006)),
    (Mode.PLAIN,      {"impi": "nobody@ims.mc1.lab"},                      (TGPP, 5001)),
    (Mode.PLAIN,      {"impi": "nobody@ims.mc1.lab", "scheme": "SIP Digest"}, (TGPP, 5001)),
    (Mode.PLAIN,      {"impu": "sip:nobody@ims.mc1.lab"},                  (TGPP, 5001)),
    (Mode.AFTER_UAR,  {},                                                  (TGPP, 5002)),
    (Mode.PLAIN,      {"realm": "ims.mc2.lab"},                            (0, 3003)),
]
# fmt: on


@pytest.mark.parametrize(("mode", "asked", "expected"), MAR_REFUSALS)
def test_every_maa_carries_the_identities_as_asked(
    mode: Mode, asked: dict[str, str], expected: tuple[int, int]
) -> None:
    """Kamailio's S-CSCF hides the reason of an MAA without them."""
    answer = Message.decode(make_hss(mode).answer(mar(**asked)))
    assert answer.result() == expected
    assert answer.get(d.USER_NAME) == asked.get("impi", ALICE)
    assert answer.get(d.PUBLIC_IDENTITY) == asked.get("impu", ALICE_IMPU)
    assert answer.header.is_error is (expected[1] == 3003)


def test_a_missing_avp_is_named() -> None:
    answer = Message.decode(make_hss().answer(request(MAR, d.USER_NAME.encode(ALICE))))
    assert answer.result() == (0, 5005)
    failed = answer.group(d.FAILED_AVP)
    assert failed is not None
    assert failed.get(d.PUBLIC_IDENTITY) is not None
    assert answer.get(d.USER_NAME) == ALICE


# fmt: off
ODD = [
    (request(PPR, d.USER_NAME.encode(ALICE)),                                            3001),
    (encode_message(0xC0, 316, 16777251, 1, 2, common()),                                3007),
    (request(LIR, d.PUBLIC_IDENTITY.encode(ALICE_IMPU), d.DESTINATION_HOST.encode("other.lab")), 3002),
    (request(LIR, d.PUBLIC_IDENTITY.encode(ALICE_IMPU)) + b"\0",                         5015),
    (encode_message(0xC0, 302, CX, 1, 2, [b"\0\0\0\1\x40\0\0\3"]),                       5014),
    (request(UAR, d.USER_NAME.encode(ALICE), d.PUBLIC_IDENTITY.encode(ALICE_IMPU)),      5005),
    (sar(ServerAssignmentType.REGISTRATION, d.USER_NAME.encode(ALICE)),                  5005),
    (sar(ServerAssignmentType.REGISTRATION, d.USER_NAME.encode(ALICE), d.PUBLIC_IDENTITY.encode(ALICE_IMPU),
         d.PUBLIC_IDENTITY.encode("tel:+123")),                                          5009),
    (request(SAR, d.SERVER_NAME.encode(SCSCF), encode_avp(614, b"\0\0\0\x63", TGPP)),    5004),
]
# fmt: on


@pytest.mark.parametrize(("octets", "code"), ODD)
def test_a_bad_request_gets_its_result_code(octets: bytes, code: int) -> None:
    """RFC 6733 §7.1.3, §7.1.5."""
    assert result(make_hss().answer(octets)) == (0, code)


def test_an_identity_with_nul_is_unknown() -> None:
    assert result(make_hss().answer(mar(impi="a\0@ims.mc1.lab"))) == (TGPP, 5001)


def test_a_deregistration_may_name_the_private_identity_alone() -> None:
    """TS 29.228 §6.1.2: Public-Identity may be absent."""
    hss = make_hss()
    both = d.USER_NAME.encode(ALICE), d.PUBLIC_IDENTITY.encode(ALICE_IMPU)
    assert result(hss.answer(sar(ServerAssignmentType.REGISTRATION, *both))) == (0, 2001)
    assert result(hss.answer(sar(ServerAssignmentType.USER_DEREGISTRATION, both[0]))) == (0, 2001)
    assert hss.store.registration(ALICE).server_name is None


def test_a_sar_may_name_the_public_identity_alone() -> None:
    """TS 29.228 §6.1.2: User-Name may be absent for an unregistered user."""
    hss = make_hss()
    answer = Message.decode(
        hss.answer(sar(ServerAssignmentType.UNREGISTERED_USER, d.PUBLIC_IDENTITY.encode(ALICE_IMPU)))
    )
    assert answer.result() == (0, 2001)
    assert answer.get(d.USER_NAME) == ALICE


def test_used_up_sequence_numbers_are_5012() -> None:
    hss = make_hss()
    hss.store.put_sqn_he("alice", (1 << 48) - 1)
    assert result(hss.answer(mar())) == (0, 5012)


def test_a_state_file_that_fails_is_5012_and_gives_no_vector() -> None:
    hss = make_hss()
    hss.store.close()
    answer = Message.decode(hss.answer(mar()))
    assert answer.result() == (0, 5012)
    assert answer.get(d.SIP_AUTH_DATA_ITEM) is None


def test_answers_are_counted_by_command_and_code() -> None:
    hss = make_hss()
    for octets in (mar(), mar(), mar(scheme="SIP Digest"), request(PPR)):
        hss.answer(octets)
    assert hss.counts == {"MAR 2001": 2, "MAR 5006": 1, "refused 3001": 1}


def test_a_header_cut_short_is_the_streams_fault() -> None:
    with pytest.raises(FramingLost):
        make_hss().answer(b"\1\0\0")


HSS = make_hss()


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.sampled_from([300, 301, 302, 303, 304, 999]))
def test_any_avps_get_an_answer(body: bytes, code: int) -> None:
    octets = encode_message(0xC0, code, CX, 1, 2, [*common(), body])
    assert Message.decode(HSS.answer(octets)).result() is not None


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_any_texts_get_an_answer(impi: str, impu: str, scheme: str) -> None:
    assert result(HSS.answer(mar(impi=impi, impu=impu, scheme=scheme))) is not None
