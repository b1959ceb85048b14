"""Every command that we encode, read by tshark: each AVP at its place, and no expert warning."""

import json
import struct
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import ALL, CX, CommandType
from diameter_proxy.diameter.dictionary import TGPP, AnyAvpType
from diameter_proxy.diameter.message import encode_answer, encode_request
from diameter_proxy.diameter.wire import encode_avp, encode_message

VALUES: Final[dict[str, Any]] = {
    "Session-Id": "scscf.mc1.lab;1;2",
    "Origin-Host": "scscf.mc1.lab",
    "Origin-Realm": "ims.mc1.lab",
    "Destination-Host": "hss.mc1.lab",
    "Destination-Realm": "ims.mc1.lab",
    "User-Name": "001010000000001@ims.mc1.lab",
    "Public-Identity": "sip:alice@ims.mc1.lab",
    "Server-Name": "sip:scscf.mc1.lab:6060",
    "Visited-Network-Identifier": b"ims.mc1.lab",
    "User-Data": b"<IMSSubscription/>",
    "Digest-Algorithm": "MD5",
    "Product-Name": "mc-migration",
}
VSAI: Final = d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)
INSIDE: Final[dict[str, bytes]] = {
    "Vendor-Specific-Application-Id": VSAI,
    "Proxy-Info": d.PROXY_HOST.encode("proxy1.mc1.lab") + d.PROXY_STATE.encode(b"state"),
    "Failed-AVP": d.USER_NAME.encode("u@ims.mc1.lab"),
    "Experimental-Result": d.VENDOR_ID.encode(TGPP) + d.EXPERIMENTAL_RESULT_CODE.encode(5001),
    "OC-Supported-Features": d.OC_FEATURE_VECTOR.encode(1),
    "SIP-Auth-Data-Item": d.SIP_ITEM_NUMBER.encode(1)
    + d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
    + d.SIP_AUTHENTICATE.encode(bytes(range(32)))
    + d.SIP_AUTHORIZATION.encode(bytes(8))
    + d.CONFIDENTIALITY_KEY.encode(bytes(16))
    + d.INTEGRITY_KEY.encode(bytes(16)),
    "Server-Capabilities": d.MANDATORY_CAPABILITY.encode(1) + d.OPTIONAL_CAPABILITY.encode(2),
    "Deregistration-Reason": d.REASON_CODE.encode(d.REASON_CODE.decode(bytes(4))) + d.REASON_INFO.encode("bye"),
    "Charging-Information": d.PRIMARY_CHARGING_COLLECTION_FUNCTION_NAME.encode("aaa://ccf.mc1.lab"),
    "Supported-Features": d.VENDOR_ID.encode(TGPP) + d.FEATURE_LIST_ID.encode(1) + d.FEATURE_LIST.encode(3),
    "Associated-Identities": d.USER_NAME.encode("u@ims.mc1.lab"),
    "Associated-Registered-Identities": d.USER_NAME.encode("u@ims.mc1.lab"),
    "Identity-with-Emergency-Registration": d.USER_NAME.encode("u@ims") + d.PUBLIC_IDENTITY.encode("sip:u@ims"),
    "SCSCF-Restoration-Info": d.USER_NAME.encode("u@ims")
    + d.RESTORATION_INFO.encode(d.PATH.encode(b"<sip:p>") + d.CONTACT.encode(b"<sip:u@h>")),
    "Allowed-WAF-WWSF-Identities": d.WEBRTC_AUTHENTICATION_FUNCTION_NAME.encode("waf"),
}
NOT_READ_BY_TSHARK: Final = {"OC-OLR", "Load"}
"""Their contents are of other specifications; a proxy only passes them."""


def encoded(avp: AnyAvpType) -> bytes:
    if avp.name in INSIDE:
        return avp.encode(INSIDE[avp.name])
    if avp.name in VALUES:
        return avp.encode(VALUES[avp.name])
    if avp.format.name == "Address":
        return avp.encode(avp.format.decode(bytes.fromhex("00010a4d010e")))
    if avp.format.name in ("UTF8String", "OctetString", "DiameterIdentity", "DiameterURI"):
        return avp.encode(avp.format.decode(b"aaa://host.mc1.lab"))
    return avp.encode(avp.format.decode(bytes(avp.format.octets_min)))


def whole(command: CommandType) -> tuple[list[AnyAvpType], bytes]:
    """Return the command with every AVP of its row, and those AVPs."""
    avps = [avp for avp in command.required + command.once + command.optional if avp.name not in NOT_READ_BY_TSHARK]
    body = [encoded(avp) for avp in avps]
    return avps, encode_message(command.flags, command.code, command.application_id, 1, 2, body)


def pcap(messages: list[bytes]) -> bytes:
    """Return a capture with each message in a TCP segment of its own to port 3868, over raw IPv4."""
    records, sequence = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 17, 101)], 1
    for number, message in enumerate(messages):
        tcp = struct.pack(">HHIIBBHHH", 40000, 3868, sequence, 1, 5 << 4, 0x18, 65535, 0, 0) + message
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
        packet = ip + tcp
        records.append(struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet)
        sequence += len(message)
    return b"".join(records)


def dissect(folder: Path, messages: list[bytes]) -> list[dict[str, list[str]]]:
    """Return what tshark reads of each message."""
    file = folder / "codec.pcap"
    file.write_bytes(pcap(messages))
    fields = (
        "diameter.cmd.code",
        "diameter.applicationId",
        "diameter.flags",
        "diameter.avp.code",
        "_ws.expert.message",
    )
    wanted = [option for name in (*fields, "diameter.Session-Id") for option in ("-e", name)]
    command = ["tshark", "-r", str(file), "-T", "json", "-d", "tcp.port==3868,diameter", *wanted]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [frame["_source"]["layers"] for frame in json.loads(out)]


CASES: Final = [(command, *whole(command)) for command in ALL]


@pytest.fixture(scope="module")
def dissected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[str]]]:
    return dissect(tmp_path_factory.mktemp("codec"), [message for _, _, message in CASES])


@pytest.mark.parametrize("index", range(len(CASES)), ids=[case[0].name for case in CASES])
def test_tshark_reads_every_avp_of_the_command(dissected: list[dict[str, list[str]]], index: int) -> None:
    command, avps, _ = CASES[index]
    layers = dissected[index]
    assert layers["diameter.cmd.code"] == [str(command.code)]
    assert [int(value, 0) for value in layers["diameter.flags"]] == [command.flags]
    assert {str(avp.code) for avp in avps} <= set(layers["diameter.avp.code"])
    assert "_ws.expert.message" not in layers


def test_tshark_finds_a_wrong_length_so_that_its_silence_means_something(tmp_path: Path) -> None:
    broken = encode_message(0xC0, 303, CX, 1, 2, [d.SESSION_ID.encode("s"), encode_avp(268, b"abc")])
    (layers,) = dissect(tmp_path, [broken])
    assert "_ws.expert.message" in layers


def test_tshark_reads_our_answers(tmp_path: Path) -> None:
    avps = [d.SESSION_ID.encode("s;1;2"), d.VENDOR_SPECIFIC_APPLICATION_ID.encode(VSAI)]
    origin = {"origin_host": "hss.mc1.lab", "origin_realm": "ims.mc1.lab"}
    answers = []
    for command in ALL:
        if command.application_id == CX and command.is_request:
            request = encode_request(command, end_to_end=1, avps=avps)
            answers.append(encode_answer(request, **origin, experimental=5001))
            answers.append(encode_answer(request, **origin, result_code=3002, failed_avp=d.USER_NAME.encode("u@ims")))
    for layers in dissect(tmp_path, answers):
        assert layers["diameter.Session-Id"] == ["s;1;2"]
        assert "_ws.expert.message" not in layers
