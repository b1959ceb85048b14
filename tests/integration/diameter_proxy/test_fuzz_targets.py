"""What `make fuzz` runs for ten minutes each: the kept corpus ends well, and a target that cannot fail is found out."""

from itertools import product
from pathlib import Path

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR
from tests.fuzz import targets

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"
KEPT = sorted(CORPUS.glob("*/*"))


@pytest.fixture(autouse=True)
def ended():
    yield
    targets.end()


@pytest.mark.parametrize("target", targets.TARGETS)
def test_what_was_found_once_ends_well(target):
    kept = [file for file in KEPT if file.parent.name == target]
    assert len(kept) > 20
    for file in kept:
        targets.TARGETS[target](file.read_bytes())


def test_the_corpus_is_small_and_has_the_good_inputs_of_each_target():
    assert sum(file.stat().st_size for file in KEPT) < 500_000
    for target, named in targets.seeds().items():
        assert {name: (CORPUS / target / name).read_bytes() for name in named} == named


@pytest.mark.parametrize(("target", "octet"), list(product(targets.TARGETS, [0, 3, 0x7F, 0xFF])))
def test_an_octet_changed_anywhere_ends_well(target, octet):
    """Every ninth place of the longest good input: the quick part of what the fuzzers do."""
    octets = max(targets.seeds()[target].values(), key=len)
    for at in range(0, len(octets), 9):
        targets.TARGETS[target](octets[:at] + bytes((octet,)) + octets[at + 1 :])


def test_a_fault_of_the_proxy_is_found(monkeypatch):
    def break_down(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr("diameter_proxy.proxy.decide", break_down)
    with pytest.raises(AssertionError, match="caught a fault of its own"):
        targets.mapping(b"\0" + targets.request(MAR, targets.OWN))


def test_a_partner_identity_that_crosses_is_found(monkeypatch):
    leaking = b"\0" + targets.request(MAR, targets.PARTNER, d.ERROR_MESSAGE.encode("of mig-partner-set@ims.mc2.lab"))
    targets.mapping(leaking)
    monkeypatch.setattr("diameter_proxy.migration.without", lambda message, needles: message)
    with pytest.raises(AssertionError, match="a partner identity crosses CSC-Y"):
        targets.mapping(leaking)


def test_a_name_of_the_inside_that_leaves_is_found(monkeypatch):
    asked = targets.seeds()["names"]["MAR"]
    monkeypatch.setattr(type(targets.hiding()), "hidden", lambda hiding, message: message)
    with pytest.raises(AssertionError, match=r"scscf\.mc2\.lab"):
        targets.names(asked)


def test_xml_that_is_none_is_found(monkeypatch):
    monkeypatch.setattr(targets, "user_data", lambda identities, criteria: b"<PrivateID>a&b</PrivateID>")
    with pytest.raises(Exception, match="not well-formed"):
        targets.xml(targets.seeds()["xml"]["plain"])
