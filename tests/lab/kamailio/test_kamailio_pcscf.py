"""The P-CSCF alone, between a UE and an I-CSCF that answers what the test says (TS 24.229 §5.2)."""

import re
import socket
import threading

import pytest

pytestmark = pytest.mark.lab

PCSCF = ("10.77.1.10", 5060)
HOME = "sip:ims.mc1.lab"


@pytest.fixture(scope="module")
def pcscf(start):
    """The P-CSCF, for the whole module."""
    started = start("pcscf")
    started.wait_ready()
    return started


@pytest.fixture
def icscf(network, pcscf):
    """An I-CSCF: set ``reply`` to its status line and headers; ``requests`` holds what came."""
    stand_in = StandIn(network.socket(socket.SOCK_DGRAM, "10.77.1.11", 4060))
    yield stand_in
    stand_in.socket.close()


class StandIn:
    """Answers every request with ``reply``."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.reply = ["SIP/2.0 200 OK"]
        self.requests: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        names = ("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Path")
        while True:
            try:
                octets, source = self.socket.recvfrom(1 << 16)
            except OSError:
                return
            self.requests.append(octets.decode())
            kept = [line for line in octets.decode().split("\r\n") if line.split(":")[0] in names]
            kept = [line + ";tag=stand-in" if line.startswith("To:") else line for line in kept]
            lines = [self.reply[0], *kept, *self.reply[1:], "Content-Length: 0", "", ""]
            self.socket.sendto("\r\n".join(lines).encode(), source)


def challenge(icscf, sip, value: str) -> str:
    """Return WWW-Authenticate as the UE gets it when the network sends ``value``."""
    icscf.reply = ["SIP/2.0 401 Unauthorized", f"WWW-Authenticate: {value}"]
    return sip("10.77.1.21", 5060).challenge().header("WWW-Authenticate")


NONCE = "2Y856adiQO2fANWq8hR1LFEwoIe2doAAWKyJv2Ykg7c"


@pytest.mark.parametrize(
    "sent",
    [
        f'Digest realm="r", nonce="{NONCE}=", algorithm=AKAv1-MD5, ck="00ff", ik="ff00", qop="auth"',
        f'Digest realm="r", nonce="{NONCE}=",algorithm=AKAv1-MD5,ck="00ff",ik="ff00",qop="auth"',
        f'Digest ck="00ff", ik="ff00", realm="r", nonce="{NONCE}=", algorithm=AKAv1-MD5, qop="auth"',
        f'Digest realm="r", nonce="{NONCE}=", algorithm=AKAv1-MD5, qop="auth", IK="ff00", CK="00ff"',
    ],
)
def test_keys_do_not_reach_the_ue(icscf, sip, sent) -> None:
    """TS 24.229 §5.2.2: the P-CSCF removes ck and ik and leaves the rest as it is."""
    got = challenge(icscf, sip, sent)
    assert re.findall("00ff|ff00|[ci]k *=", got, re.IGNORECASE) == []
    assert sorted(re.findall(r"(\w+)=(\S*?),?(?: |$)", got.replace(",", ", "))) == [
        ("algorithm", "AKAv1-MD5"),
        ("nonce", f'"{NONCE}="'),
        ("qop", '"auth"'),
        ("realm", '"r"'),
    ]


@pytest.mark.parametrize("ending", ["ck", "Ik", "cK", "IK"])
def test_a_nonce_that_ends_like_a_key_parameter_stays_whole(icscf, sip, ending) -> None:
    """Base64 of 32 octets ends in =", so that one nonce in a thousand ends in ck=" or ik="."""
    nonce = NONCE[:-2] + ending + "="
    got = challenge(icscf, sip, f'Digest realm="r", nonce="{nonce}", algorithm=AKAv1-MD5, ck="00", ik="ff", qop="auth"')
    assert got == f'Digest realm="r", nonce="{nonce}", algorithm=AKAv1-MD5, qop="auth"'


@pytest.mark.parametrize(
    "words",
    [
        "403 Forbidden - HSS responded with unknown Result Code",
        "403 Forbidden - HSS Unable to comply",
        "500 Forbidden - HSS Unable to comply",
        "403 Forbidden - HSS returned no authentication vectors",
        "403 Forbidden - Private identity not found (Authorization: username)",
        "403 Forbidden - Public identity not found (To:)",
        "480 Temporarily Unavailable - Diameter Cx interface failed",
    ],
)
def test_an_outage_is_504_and_no_refusal(icscf, sip, words) -> None:
    """A UE that is refused gives up for good; one that meets an outage tries again."""
    icscf.reply = [f"SIP/2.0 {words}"]
    response = sip("10.77.1.21", 5060).challenge()
    assert response.text.splitlines()[0] == "SIP/2.0 504 Server Time-out"


@pytest.mark.parametrize(
    "words",
    [
        "403 Forbidden - HSS User Unknown",
        "403 Forbidden - HSS Identities don't match",
        "403 Forbidden - HSS Roaming not allowed",
        "403 Forbidden - HSS Authentication Scheme Unsupported",
        "403 Forbidden - HSS Authorization Rejected",
        "403 Forbidden - HSS responded with unknown Experimental Result Code",
        "403 Forbidden - Authentication Failed",
    ],
)
def test_a_refusal_stays_403(icscf, sip, words) -> None:
    icscf.reply = [f"SIP/2.0 {words}"]
    assert sip("10.77.1.21", 5060).challenge().text.splitlines()[0] == f"SIP/2.0 {words}"


def test_register_says_where_the_ue_is_and_how_it_is_reached(icscf, sip) -> None:
    """What a UE itself says of that is removed (TS 24.229 §5.2.2)."""
    forged = ("Path: <sip:evil.example;lr>", "P-Visited-Network-ID: evil.example", "P-Asserted-Identity: <sip:boss@x>")
    sip("10.77.1.21", 5060).send(PCSCF, "REGISTER", HOME, *forged, "P-Charging-Vector: icid-value=evil")
    [request] = icscf.requests
    assert "evil" not in request
    assert "boss" not in request
    assert "Path: <sip:term@pcscf.mc1.lab:5060;lr>\r\n" in request
    assert "P-Visited-Network-ID: ims.mc1.lab\r\n" in request
    assert "Supported: path\r\n" in request
    assert "Require: path\r\n" in request


@pytest.mark.parametrize("method", ["MESSAGE", "INVITE", "SUBSCRIBE", "OPTIONS"])
def test_only_a_registered_ue_is_served(icscf, sip, method) -> None:
    response = sip("10.77.1.66", 5060, "evil").send(PCSCF, method, "sip:001010000000002@ims.mc1.lab")
    assert response.status == 403
    assert icscf.requests == []


def test_a_register_without_contact_is_refused(icscf, network, pcscf) -> None:
    stranger = network.socket(socket.SOCK_DGRAM, "10.77.1.66", 5060)
    stranger.settimeout(15)
    lines = [
        f"REGISTER {HOME} SIP/2.0",
        "Via: SIP/2.0/UDP 10.77.1.66:5060;branch=z9hG4bKnocontact;rport",
        "Max-Forwards: 70",
        "From: <sip:a@ims.mc1.lab>;tag=1",
        "To: <sip:a@ims.mc1.lab>",
        "Call-ID: no-contact",
        "CSeq: 1 REGISTER",
        "Content-Length: 0",
    ]
    with stranger:
        stranger.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), PCSCF)
        assert stranger.recv(1 << 16).startswith(b"SIP/2.0 400")
    assert icscf.requests == []


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x00" * 40, b"REGISTER", b"REGISTER sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"A" * 60000],
)
def test_rubbish_kills_nothing(icscf, sip, network, pcscf, octets) -> None:
    stranger = network.socket(socket.SOCK_DGRAM, "10.77.1.66", 5060)
    with stranger:
        stranger.sendto(octets, PCSCF)
    icscf.reply = ["SIP/2.0 403 Forbidden"]
    assert sip("10.77.1.21", 5060).challenge().status == 403
    assert pcscf.popen.poll() is None
