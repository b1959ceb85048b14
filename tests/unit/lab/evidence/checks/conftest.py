"""A story in which the partner set was registered over every leg, made by hand."""

from types import SimpleNamespace

import pytest

from lab.evidence.messages import Capture
from lab.evidence.story import Evidence, read_stories

PRIVATE, PUBLIC = "mig-a@ims.mc2.lab", "sip:mig-a@ims.mc2.lab"
LENT, LENT_PUBLIC = "mig-p@ims.mc1.lab", "sip:mig-p@ims.mc1.lab"


@pytest.fixture
def asked(make: SimpleNamespace) -> Evidence:
    """A REGISTER, and the MAR on AAA-2 and CSC-Y that it led to; no answer to any of them."""
    authorization = (
        f'Digest username="{PRIVATE}", realm="ims.mc2.lab", nonce="", uri="sip:ims.mc2.lab", response="", '
        "algorithm=AKAv1-MD5"
    )
    register = make.sip(1, "ue", "pcscf", "REGISTER", authorization=authorization, to=f"<{PUBLIC}>")
    scheme = make.avp(612, "", make.avp(608, "Digest-AKAv1-MD5"))
    here = make.diameter(2, "scscf", "proxy2", make.avp(1, PRIVATE), make.avp(601, PUBLIC), scheme)
    there = make.diameter(
        3, "proxy2", "proxy1", make.avp(1, LENT), make.avp(601, LENT_PUBLIC), make.avp(283, "ims.mc1.lab"), scheme,
        stream=2, hop_by_hop=9, is_tls=True,
    )  # fmt: skip
    return read_stories(Capture(sip=(register,), diameter=(here, there)), make.facts())
