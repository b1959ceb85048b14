"""IMPI, IMPU and sets (TS 23.003 §13)."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmserver.identity import (
    InvalidIdentity,
    SipIdentities,
    domain_of,
    parse_domain,
    parse_impi,
    parse_impu,
    parse_sip_identities,
)

USERS = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=40)
HOSTS = st.lists(st.text(string.ascii_letters + string.digits, min_size=1, max_size=10), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("001010000000001@IMS.mc1.lab", "001010000000001@ims.mc1.lab"),
        ("Alice@ims.mc1.lab", "Alice@ims.mc1.lab"),
        ("mig-7f3k9@ims.mc2.lab", "mig-7f3k9@ims.mc2.lab"),
    ],
)
def test_a_private_identity_keeps_its_user_part_and_lowers_its_realm(text: str, parsed: str) -> None:
    """TS 23.003 §13.3; host parts compare in lower case."""
    assert parse_impi(text) == parsed


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("SIP:Alice@IMS.mc1.lab", "sip:Alice@ims.mc1.lab"),
        ("sip:+4930123@ims.mc1.lab", "sip:+4930123@ims.mc1.lab"),
        ("TEL:+49-30-123", "tel:+49-30-123"),
    ],
)
def test_a_public_identity_is_sip_or_tel(text: str, parsed: str) -> None:
    """TS 23.003 §13.4."""
    assert parse_impu(text) == parsed


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@b", "a@b@c", "a b@c", "sip:a@b", "a@-b", "a@b..c", "é@b", "x" * 256 + "@b"]
)
def test_what_is_no_private_identity_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdentity):
        parse_impi(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b",
        "sips:a@b",
        "sip:@b",
        "sip:a",
        "sip:a@b;x=1",
        "sip:a@b\n",
        "tel:abc",
        "http://a@b",
        "sip:a@" + "b" * 300,
    ],
)
def test_what_is_no_public_identity_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdentity):
        parse_impu(text)


def test_a_refusal_does_not_repeat_endless_text() -> None:
    with pytest.raises(InvalidIdentity) as caught:
        parse_impi("x" * 100_000)
    assert len(str(caught.value)) < 200


@settings(deadline=None, derandomize=True)
@given(USERS, HOSTS)
def test_parsing_is_idempotent_and_keeps_the_user(user: str, labels: list[str]) -> None:
    impi = parse_impi(f"{user}@{'.'.join(labels)}")
    assert parse_impi(impi) == impi
    assert impi.partition("@")[0] == user
    impu = parse_impu(f"sip:{impi}")
    assert (parse_impu(impu), domain_of(impu)) == (impu, domain_of(impi))


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=300))
def test_any_text_is_an_identity_or_refused(text: str) -> None:
    for parse in (parse_impi, parse_impu, parse_domain):
        try:
            parsed = parse(text)
        except InvalidIdentity:
            continue
        assert parse(parsed) == parsed


def test_a_set_holds_distinct_identities_in_order() -> None:
    identities = parse_sip_identities("u@d", ["sip:b@d", "tel:+1", "sip:a@d"])
    assert identities.sip_uris == ("sip:b@d", "sip:a@d")
    assert identities.mapped == ("u@d", "sip:b@d", "sip:a@d")


@pytest.mark.parametrize("impus", [[], ["sip:a@d", "SIP:a@D"], [f"sip:u{number}@d" for number in range(17)]])
def test_a_set_that_is_empty_doubled_or_too_large_is_refused(impus: list[str]) -> None:
    with pytest.raises(InvalidIdentity):
        parse_sip_identities("u@d", impus)


def test_a_set_cannot_be_changed() -> None:
    identities = parse_sip_identities("u@d", ["sip:a@d"])
    assert isinstance(identities, SipIdentities)
    with pytest.raises(AttributeError):
        identities.private_user_identity = "x@d"  # type: ignore[misc,assignment]


def test_a_telephone_number_has_no_domain() -> None:
    assert domain_of("tel:+4930123") == ""


@pytest.mark.parametrize("text", ["", "a b", "-a", "a." * 130, "a@b"])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdentity):
        parse_domain(text)
