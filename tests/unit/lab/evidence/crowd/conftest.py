"""A crowd of two, and its messages as tshark would have shown them."""

from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.crowd.lines import Arrival
from lab.evidence.crowd.people import People, Person


def arrival(message: Any) -> Arrival:
    """Return the frame of one message."""
    if hasattr(message, "avps"):
        return Arrival(message.frame, b"\x17\x03\x03" if message.is_tls else b"\x01", diameter=(message,))
    return Arrival(message.frame, message.text.encode("latin-1"), sip=message)


@pytest.fixture
def crowd(make: SimpleNamespace) -> SimpleNamespace:
    """``facts`` and ``people`` of a crowd of two, ``one`` and ``two``, and what makes their messages."""
    systems = [
        {"name": "mc1", "home_domain": "ims.mc1.lab", "plmn": "00101", "allocation": "pool"},
        {"name": "mc2", "home_domain": "ims.mc2.lab", "plmn": "00102", "allocation": "pool"},
    ]
    facts = make.facts(
        systems=systems,
        crowd={"home": "mc1", "partner": "mc2", "users": 2},
        steps=[{"step": "Storm", "side": "migrated", "for_s": None, "find_rate": False}],
    )
    people = People(facts)

    def register(number: int, who: Person, call_id: str, **changes: Any) -> Any:
        private, public = who.sets.partner
        digest = f'Digest username="{private}", realm="ims.mc2.lab", nonce="", uri="sip:ims.mc2.lab", response="", '
        return make.sip(
            number, "ue", "pcscf", "REGISTER", call_id=call_id, authorization=f"{digest}algorithm=AKAv1-MD5",
            to=f"<{public}>", **changes,
        )  # fmt: skip

    def mars(number: int, who: Person, asked: Person, end_to_end: int) -> list[Any]:
        """Return the MAR of ``who`` on AAA-2, and the one on CSC-Y, which names the set of ``asked``."""
        scheme = make.avp(612, "", make.avp(608, "Digest-AKAv1-MD5"))
        values = {"end_to_end": end_to_end, "hop_by_hop": end_to_end}
        near = (make.avp(1, who.sets.partner[0]), make.avp(601, who.sets.partner[1]), scheme)
        far = (make.avp(1, asked.sets.primary[0]), make.avp(601, asked.sets.primary[1]), make.avp(283, "ims.mc1.lab"))
        here = make.diameter(number, "scscf", "proxy2", *near, **values)
        values["hop_by_hop"] += 1000
        there = make.diameter(number + 1, "proxy2", "proxy1", *far, scheme, stream=2, is_tls=True, **values)
        return [here, there]

    return SimpleNamespace(
        facts=facts, people=people, one=people.person(1), two=people.person(2), register=register, mars=mars,
        arrival=arrival,
    )  # fmt: skip
