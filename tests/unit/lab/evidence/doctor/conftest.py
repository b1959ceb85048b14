"""Registrations made by hand: REGISTERs, responses and Cx hops as tshark would have shown them."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.doctor.attempts import read_attempts
from lab.evidence.doctor.authorisations import read_authorisations
from lab.evidence.doctor.connections import Connection
from lab.evidence.doctor.view import View, infer_roles
from lab.evidence.messages import Avp, Capture, DiameterMessage, SipMessage

IMPI = "1@ims.mc2.lab"
IMPU = "sip:1@ims.mc2.lab"
ASKED = f'Digest username="{IMPI}", realm="ims.mc2.lab", nonce="", response="", algorithm=AKAv1-MD5'
ANSWERED = f'Digest username="{IMPI}", realm="ims.mc2.lab", uri="sip:ims.mc2.lab", nonce="n", response="r"'
CHALLENGE = 'Digest realm="ims.mc2.lab", nonce="n", algorithm=AKAv1-MD5'

See = Callable[..., View]


@pytest.fixture
def case(make: SimpleNamespace) -> SimpleNamespace:
    """Builders of one user's registration."""

    def register(number: int, cseq: int = 1, authorization: str = ASKED, **more: Any) -> SipMessage:
        ends = (more.pop("source", "ue"), more.pop("destination", "pcscf"))
        headers = {"to": f"<{more.pop('impu', IMPU)}>", "contact": "<sip:1@10.77.2.21>;expires=600"}
        given = {"authorization": authorization} if authorization else {}
        message: SipMessage = make.sip(number, *ends, "REGISTER", cseq, **headers, **given, **more)
        return message

    def response(number: int, status: int, cseq: int = 1, **more: Any) -> SipMessage:
        ends = (more.pop("source", "pcscf"), more.pop("destination", "ue"))
        challenge = more.pop("challenge", CHALLENGE if status == 401 else "")
        given = {"www_authenticate": challenge} if challenge else {}
        message: SipMessage = make.sip(number, *ends, status, cseq, to=f"<{IMPU}>", **given, **more)
        return message

    def hop(
        number: int,
        code: int | None,
        command: int = 303,
        avps: Iterable[Avp] = (),
        asked: Iterable[Avp] = (),
        **more: Any,
    ) -> list[DiameterMessage]:
        ends = (more.pop("source", "scscf"), more.pop("destination", "hss"))
        names = (make.avp(1, more.pop("impi", IMPI)), make.avp(601, IMPU))
        ids = {"hop_by_hop": number, "end_to_end": more.pop("end_to_end", number), "command": command}
        found = [make.diameter(number, *ends, *names, *asked, **ids)]
        if code is not None:
            after = more.pop("after", 1)
            back = (make.avp(268, str(code)), *avps)
            found.append(make.diameter(number + after, *reversed(ends), *back, request=False, **ids))
        return found

    def see(*messages: SipMessage | list[DiameterMessage], connections: Iterable[Connection] = (), **more: Any) -> View:
        sip = tuple(m for m in messages if isinstance(m, SipMessage))
        diameter = [m for hop in messages if isinstance(hop, list) for m in hop]
        capture = Capture(sip, tuple(sorted(diameter, key=lambda m: m.frame.number)))
        attempts = read_attempts(capture)
        authorisations = read_authorisations(capture)
        roles = infer_roles(capture, attempts, authorisations)
        return View(capture, attempts, tuple(connections), roles=roles, authorisations=authorisations, **more)

    def third_party(number: int, claims: Mapping[str, object] | None = None, **more: Any) -> SipMessage:
        """Return the S-CSCF's REGISTER to a server at 10.77.2.7 with a token of these claims, none for None."""
        message: SipMessage = make.sip(
            number, "scscf", "ue", "REGISTER", call_id=more.pop("call_id", "t"), to=f"<{IMPU}>", expires="600"
        )
        token = "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".s"
        text = f'<mcptt-access-token type="Normal"><mcpttString>{token}</mcpttString></mcptt-access-token>'
        body = more.pop("body", text if claims is not None else "+g.3gpp.mcptt")
        frame = message.frame._replace(destination="10.77.2.7")
        return replace(message, frame=frame, uri="sip:mcs.mc2.lab:5060", text=body)

    def said(number: int, status: int, call_id: str = "t", **headers: str) -> SipMessage:
        """Return that server's answer."""
        message: SipMessage = make.sip(number, "ue", "scscf", status, call_id=call_id, to=f"<{IMPU}>", **headers)
        return replace(message, frame=message.frame._replace(source="10.77.2.7"))

    return SimpleNamespace(
        register=register, response=response, hop=hop, see=see, avp=make.avp, facts=make.facts,
        third_party=third_party, said=said,
    )  # fmt: skip
