"""tshark's own Diameter dictionary reads what the HSS writes: a judge that shares none of our code."""

import subprocess
from pathlib import Path

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, MAR, SAR, UAR, CommandType
from diameter_proxy.diameter.dictionary import TGPP
from diameter_proxy.diameter.message import encode_request
from diameter_proxy.diameter.values import AuthSessionState, ServerAssignmentType, UserDataAlreadyAvailable
from lab.systems.hss.authentication_centre import AuthenticationCentre
from lab.systems.hss.config import UserTable
from lab.systems.hss.cx import HomeSubscriberServer, Node
from lab.systems.hss.rtr import Termination, encode_rtr
from lab.systems.hss.store import Store
from lab.systems.hss.subscribers import directory_of

IMPI, IMPU, SCSCF = "001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab", "sip:scscf.mc1.lab:6060"
FIELDS = (
    "diameter.cmd.code",
    "diameter.Result-Code",
    "diameter.Experimental-Result-Code",
    "diameter.User-Name",
    "diameter.Public-Identity",
    "diameter.Server-Name",
    "diameter.3GPP-SIP-Authentication-Scheme",
    "diameter.Cx-User-Data",
    "diameter.Reason-Code",
    "_ws.malformed",
)


def make_hss() -> HomeSubscriberServer:
    table = UserTable.model_validate(
        {
            "name": "alice",
            "k": "465b5ce8b199b49faa5f0a2ee238a6bc",
            "opc": "cd63cb71954a9f4e48a5994e37a02baf",
            "impis": [{"private_user_identity": IMPI, "public_user_identities": [IMPU]}],
        }
    )
    store = Store(":memory:")
    return HomeSubscriberServer(
        Node("hss.mc1.lab", "ims.mc1.lab"), directory_of([table]), store, AuthenticationCentre(store, bytes), (SCSCF,)
    )


def request(command: CommandType, *avps: bytes) -> bytes:
    common = [
        d.SESSION_ID.encode("scscf.mc1.lab;1"),
        d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
        d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
        d.ORIGIN_HOST.encode("scscf.mc1.lab"),
        d.ORIGIN_REALM.encode("ims.mc1.lab"),
        d.DESTINATION_REALM.encode("ims.mc1.lab"),
        d.USER_NAME.encode(IMPI),
        d.PUBLIC_IDENTITY.encode(IMPU),
    ]
    return encode_request(command, end_to_end=1, avps=[*common, *avps])


def dissect(messages: list[bytes], directory: Path) -> list[dict[str, str]]:
    """Return tshark's fields of each message, sent over TCP port 3868."""
    text, capture = directory / "octets.txt", directory / "octets.pcap"
    text.write_text("".join(f"0000 {octets.hex(' ')}\n\n" for octets in messages))
    subprocess.run(["text2pcap", "-q", "-T", "3868,40000", text, capture], check=True, capture_output=True)
    options = [option for name in FIELDS for option in ("-e", name)]
    command = ["tshark", "-r", str(capture), "-T", "fields", "-E", "separator=|", *options]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [{name: value for name, value in zip(FIELDS, line.split("|"), strict=True) if value} for line in lines]


def test_tshark_reads_every_message_of_the_hss(tmp_path: Path) -> None:
    hss = make_hss()
    item = d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5"))
    mar = request(MAR, d.SIP_NUMBER_AUTH_ITEMS.encode(1), item, d.SERVER_NAME.encode(SCSCF))
    sar = request(
        SAR,
        d.SERVER_NAME.encode(SCSCF),
        d.SERVER_ASSIGNMENT_TYPE.encode(ServerAssignmentType.REGISTRATION),
        d.USER_DATA_ALREADY_AVAILABLE.encode(UserDataAlreadyAvailable.USER_DATA_NOT_AVAILABLE),
    )
    uar = request(UAR, d.VISITED_NETWORK_IDENTIFIER.encode(b"ims.mc1.lab"))
    rtr = encode_rtr(
        Termination(IMPI, (IMPU,), "scscf.mc1.lab", "ims.mc1.lab"),
        session_id="hss.mc1.lab;1;1",
        origin_host="hss.mc1.lab",
        origin_realm="ims.mc1.lab",
        end_to_end=1,
    )
    uaa, maa, saa, rtr_seen = dissect([hss.answer(uar), hss.answer(mar), hss.answer(sar), rtr], tmp_path)
    assert uaa == {
        "diameter.cmd.code": "300",
        "diameter.Experimental-Result-Code": "2001",
        "diameter.Server-Name": SCSCF,
    }
    assert maa == {
        "diameter.cmd.code": "303",
        "diameter.Result-Code": "2001",
        "diameter.User-Name": IMPI,
        "diameter.Public-Identity": IMPU,
        "diameter.3GPP-SIP-Authentication-Scheme": "Digest-AKAv1-MD5",
    }
    assert bytes.fromhex(saa.pop("diameter.Cx-User-Data")).endswith(b"</IMSSubscription>")
    assert saa == {"diameter.cmd.code": "301", "diameter.Result-Code": "2001", "diameter.User-Name": IMPI}
    assert rtr_seen == {
        "diameter.cmd.code": "304",
        "diameter.User-Name": IMPI,
        "diameter.Public-Identity": IMPU,
        "diameter.Reason-Code": "0",
    }
