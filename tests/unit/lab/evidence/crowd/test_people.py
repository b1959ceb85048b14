"""The crowd is who the lab says it is, and each identity of it is found in octets."""

from types import SimpleNamespace

from lab.evidence.crowd.people import People


def test_every_identity_of_each_member_is_found_and_known(crowd: SimpleNamespace) -> None:
    for number, person in ((1, crowd.one), (2, crowd.two)):
        isim = (person.ue.private_user_identity, *person.ue.public_user_identities)
        for kind, identities in (("isim", isim), ("primary", person.sets.primary), ("partner", person.sets.partner)):
            for identity in identities:
                assert crowd.people.number_of(identity) == number
                found = dict(crowd.people.kinds_in(b"\x00<" + identity.upper().encode() + b">\xff"))
                assert [tuple(known) for known in found.values()] == [(number, kind)], identity


def test_the_ue_that_the_crowd_is_with_is_known_and_is_none_of_it(crowd: SimpleNamespace) -> None:
    assert crowd.people.number_of("sip:alice@ims.mc1.lab") == 0
    assert [known.kind for _, known in crowd.people.kinds_in(b"From: <sip:alice@ims.mc1.lab>")] == ["isim"]


def test_a_stranger_is_nobody(crowd: SimpleNamespace) -> None:
    people: People = crowd.people
    assert people.number_of("sip:mig-aaaaaaaaaaaaaaaaaaaa@ims.mc2.lab") is None
    assert people.number_of(None) is None
    assert list(people.kinds_in(b"sip:crowd-000003@ims.mc1.lab sip:alice@mc1.lab")) == []
