"""Messages made by hand, as tshark would have shown them."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.facts import RunFacts
from lab.evidence.messages import Avp, DiameterMessage, Frame, HttpMessage, Payload, SipMessage

ADDRESSES = {
    "ue": "10.77.2.21", "pcscf": "10.77.2.10", "icscf": "10.77.2.11", "scscf": "10.77.2.12", "proxy2": "10.77.2.14",
    "proxy1": "10.77.1.14", "hss": "10.77.1.13", "cms1": "10.77.1.17", "mms1": "10.77.1.16", "idms1": "10.77.1.18",
}  # fmt: skip
HOSTS = {
    "10.77.2.10": "pcscf.mc2.lab", "10.77.2.11": "icscf.mc2.lab", "10.77.2.12": "scscf.mc2.lab",
    "10.77.2.14": "proxy1.mc2.lab", "10.77.1.14": "proxy1.mc1.lab", "10.77.1.13": "hss.mc1.lab",
    "10.77.1.17": "cms.mc1.lab", "10.77.1.16": "mms.mc1.lab", "10.77.1.18": "idms.mc1.lab",
}  # fmt: skip


def frame(number: int, source: str, destination: str, stream: int = 1, port: int = 3868) -> Frame:
    return Frame(number, number / 1000, ADDRESSES[source], ADDRESSES[destination], 40_000, port, stream)


def avp(code: int, value: str, *children: Avp) -> Avp:
    octets = value.encode()
    head = code.to_bytes(4, "big") + b"\x40" + (8 + len(octets)).to_bytes(3, "big")
    return Avp("x", code, 0, value, (head + octets).hex(), children)


def diameter(
    number: int, source: str, destination: str, *avps: Avp, request: bool = True, command: int = 303, **changes: Any
) -> DiameterMessage:
    values: dict[str, Any] = {
        "frame": frame(number, source, destination, changes.pop("stream", 1)),
        "is_request": request, "is_proxiable": True, "is_error": False, "is_retransmitted": False,
        "command_code": command, "application_id": 16777216, "hop_by_hop": 1, "end_to_end": 2, "avps": avps,
        "is_tls": False,
    }  # fmt: skip
    return DiameterMessage(**(values | changes))


def sip(
    number: int, source: str, destination: str, what: str | int, cseq: int = 1, call_id: str = "c", **headers: str
) -> SipMessage:
    is_request = isinstance(what, str)
    method = what if isinstance(what, str) else headers.pop("method", "REGISTER")
    lines = {"call-id": call_id, "cseq": f"{cseq} {method}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return SipMessage(
        frame=frame(number, source, destination, -1, 5060), method=what if isinstance(what, str) else "",
        uri="sip:ims.mc2.lab" if is_request else "", status=0 if isinstance(what, str) else what, reason="",
        headers={name: (value,) for name, value in lines.items()}, text=text,
    )  # fmt: skip


def http(
    number: int, source: str, destination: str, what: str | int, body: str = "", stream: int = 5, **headers: str
) -> HttpMessage:
    path, status = (what, 0) if isinstance(what, str) else ("", what)
    return HttpMessage(
        frame(number, source, destination, stream, 443), "POST" if path else "", path, status, headers, body
    )


def payload(number: int, source: str, destination: str, octets: bytes, stream: int = 9, port: int = 5868) -> Payload:
    return Payload(frame(number, source, destination, stream, port), octets)


def facts(**changes: Any) -> RunFacts:
    value: Mapping[str, Any] = {
        "scenario": "s",
        "hosts": HOSTS,
        "systems": [{"name": "mc1", "home_domain": "ims.mc1.lab"}, {"name": "mc2", "home_domain": "ims.mc2.lab"}],
        "ues": [
            {
                "name": "ue1", "system": "mc1", "mc_service_id": "sip:alice@mc1.lab",
                "private_user_identity": "1@ims.mc1.lab", "public_user_identities": ["sip:alice@ims.mc1.lab"],
                "addresses": ["10.77.1.21", "10.77.2.21"],
            }
        ],
    }  # fmt: skip
    return RunFacts.model_validate({**value, **changes})


@pytest.fixture
def make() -> SimpleNamespace:
    """Builders of messages, frames and facts."""
    builders: dict[str, Callable[..., Any]] = {
        "frame": frame, "avp": avp, "diameter": diameter, "sip": sip, "http": http, "payload": payload, "facts": facts,
    }  # fmt: skip
    return SimpleNamespace(**builders)
