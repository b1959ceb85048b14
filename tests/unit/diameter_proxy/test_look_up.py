"""Look-ups: one in flight per identity, few parked, a rate for each class of peer."""

from diameter_proxy.look_up import LookUps, Parking
from diameter_proxy.routing import Source

C, P = Source.CSCF, Source.PARTNER


def test_the_first_asks_and_the_others_join():
    look_ups = LookUps()
    assert look_ups.park(b"a", C, 1, 0.0) is Parking.ASK
    assert look_ups.park(b"a", C, 2, 0.0) is Parking.JOINED
    assert look_ups.park(b"b", C, 3, 0.0) is Parking.ASK
    assert look_ups.finish(b"a") == [1, 2]
    assert look_ups.finish(b"a") == []
    assert look_ups.parked_count == 1


def test_no_more_than_the_limit_are_parked():
    look_ups = LookUps(parked_max=2)
    outcomes = [look_ups.park(b"a", C, n, 0.0) for n in range(3)]
    assert outcomes == [Parking.ASK, Parking.JOINED, Parking.REFUSED]


def test_the_rate_is_capped_and_a_guessing_partner_does_not_take_our_own_share():
    look_ups = LookUps(rate_per_s=2)
    asked = [look_ups.park(b"%d" % n, P, n, 0.0) for n in range(3)]
    assert asked == [Parking.ASK, Parking.ASK, Parking.REFUSED]
    assert look_ups.park(b"own", C, 9, 0.0) is Parking.ASK
    assert look_ups.park(b"later", P, 9, 0.5) is Parking.ASK


def test_who_is_asked_about_is_known_until_it_is_finished():
    look_ups = LookUps()
    look_ups.park(b"a", Source.CSCF, 1, 0.0)
    assert look_ups.waiting == (b"a",)
    look_ups.finish(b"a")
    assert look_ups.waiting == ()
