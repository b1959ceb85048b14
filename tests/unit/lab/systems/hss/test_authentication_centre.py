"""Vectors and resynchronisation (TS 33.102 §6.3)."""

from lab.systems.hss.authentication_centre import AuthenticationCentre
from lab.systems.hss.registration import ServingSystem
from lab.systems.hss.store import Store
from lab.systems.hss.subscribers import IdentitySet, Subscriber
from ue_agent.aka.aka import encode_auts, verify_autn
from ue_agent.aka.milenage import Milenage

K, OPC, RAND = bytes(range(16)), bytes(16), b"\x5a" * 16
ISIM = Milenage(K, OPC)
SUBSCRIBER = Subscriber("alice", Milenage(K, OPC), b"\x80\0", None, False, ())
HOME = IdentitySet(SUBSCRIBER, "a@lab", ("sip:a@lab",))
LENT = IdentitySet(SUBSCRIBER, "mig-1@lab", ("sip:mig-1@lab",))
SCSCF = ServingSystem("sip:s.lab", "s.lab", "lab")


def make_centre() -> AuthenticationCentre:
    return AuthenticationCentre(Store(":memory:"), lambda octets: RAND[:octets])


def sqn_of(centre: AuthenticationCentre, identities: IdentitySet) -> tuple[int, int]:
    vector = centre.vector(identities, SCSCF)
    sqn = verify_autn(ISIM, vector.rand, vector.autn).sqn
    return sqn >> 5, sqn & 31


def test_sets_share_the_generator_and_have_their_own_ind() -> None:
    centre = make_centre()
    assert [sqn_of(centre, row) for row in (HOME, LENT, HOME)] == [(1, 0), (2, 1), (3, 0)]
    assert centre.counts["vectors"] == 3


def test_rand_is_the_random_octets() -> None:
    assert make_centre().vector(HOME, SCSCF).rand == RAND


def test_a_genuine_auts_moves_the_generator() -> None:
    centre = make_centre()
    centre.resynchronise(HOME, RAND + encode_auts(ISIM, RAND, 1000 << 5 | 7))
    assert sqn_of(centre, HOME) == (1001, 0)
    assert centre.counts["resynchronisations"] == 1


def test_an_auts_behind_the_generator_moves_nothing() -> None:
    """TS 33.102 §6.3.5, step 3: the next number would be accepted."""
    centre = make_centre()
    for _ in range(3):
        centre.vector(HOME, SCSCF)
    centre.resynchronise(HOME, RAND + encode_auts(ISIM, RAND, 1 << 5))
    assert sqn_of(centre, HOME) == (4, 0)
    assert centre.counts["resynchronisations_in_range"] == 1


def test_a_wrong_mac_s_or_length_moves_nothing_and_is_counted() -> None:
    centre = make_centre()
    auts = encode_auts(ISIM, RAND, 1000 << 5)
    for sip_authorization in (RAND + auts[:-1] + bytes([auts[-1] ^ 1]), RAND + auts[:-1], b""):
        centre.resynchronise(HOME, sip_authorization)
    assert sqn_of(centre, HOME) == (1, 0)
    assert centre.counts["mac_s_failures"] == 3
