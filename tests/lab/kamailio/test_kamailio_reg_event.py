"""The P-CSCF's own subscription to the registration state (TS 24.229 §5.2.3): whom the network takes off is silent."""

import secrets
import time

import pytest

pytestmark = pytest.mark.lab

PCSCF = ("10.77.1.10", 5060)
NOTICED_WITHIN_S = 5.0


def status_of(ue, identity: str, wanted: int) -> int:
    """Return the status of a MESSAGE, tried until it is the wanted one: NOTIFY comes with the S-CSCF's next tick."""
    deadline = time.monotonic() + NOTICED_WITHIN_S
    while (status := ue.send(PCSCF, "MESSAGE", identity).status) != wanted and time.monotonic() < deadline:
        pass
    return status


def test_a_ue_that_the_network_took_off_originates_nothing(core) -> None:
    """§5.2.5.2: after NOTIFY with the registration terminated the P-CSCF takes nothing from that UE."""
    alice = core.ue()
    assert alice.register().status == 200
    assert alice.send(PCSCF, "MESSAGE", f"sip:{secrets.token_hex(4)}@ims.mc9.lab").status == 404
    core.database.deregister(alice.impi, alice.impu)
    assert status_of(alice, f"sip:{secrets.token_hex(4)}@ims.mc9.lab", 403) == 403, core.log()


def test_it_may_again_once_it_is_registered_again(core) -> None:
    alice = core.ue()
    for _ in range(3):
        assert alice.register().status == 200, core.log()
        assert alice.send(PCSCF, "MESSAGE", "sip:x@ims.mc9.lab").status == 404
        core.database.deregister(alice.impi, alice.impu)
        assert status_of(alice, "sip:x@ims.mc9.lab", 403) == 403, core.log()


def test_another_identity_of_the_set_is_silent_too(core) -> None:
    """Only the default identity is subscribed to; the others of the implicit set belong to it."""
    alice = core.ue()
    other = f"sip:{secrets.token_hex(4)}@ims.mc1.lab"
    core.database.also[alice.impu] = other
    assert alice.register().status == 200
    default, alice.impu = alice.impu, other
    assert alice.send(PCSCF, "MESSAGE", "sip:x@ims.mc9.lab").status == 404, core.log()
    core.database.deregister(alice.impi, default, other)
    assert status_of(alice, "sip:x@ims.mc9.lab", 403) == 403, core.log()
