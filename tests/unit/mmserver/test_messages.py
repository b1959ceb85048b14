"""Bodies of CSC-4, CSC-X, CSC-17 and the feed: their constraints."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from mmserver.identity import parse_sip_identities
from mmserver.messages import (
    Binding,
    BindingEntry,
    ConnectionDetailsRequest,
    FeedAcknowledgement,
    FeedEntry,
    IdentitySet,
    LentRange,
    LocationInformation,
    PartnerAccessRequest,
    PartnerSipIdentitiesRequest,
    PrimarySipIdentitiesRequest,
)

SET = {"private_user_identity": "u@ims.mc1.lab", "public_user_identities": ["sip:u@ims.mc1.lab"]}
ENTRY = {
    "role": "partner",
    "mc_service_ids": ["sip:a@mc1.lab"],
    "other_mc_system": "mc1",
    "migration_management_server": "mms.mc1.lab",
    "identities": SET,
    "counterpart": SET,
    "valid_until": "2030-01-01T00:00:00Z",
}


def test_a_set_goes_to_the_leaf_and_back() -> None:
    identities = parse_sip_identities("u@ims.mc1.lab", ["sip:u@ims.mc1.lab", "tel:+1"])
    assert IdentitySet.from_identities(identities).to_identities() == identities


def test_identities_are_normalised_on_their_way_in() -> None:
    body = IdentitySet(private_user_identity="u@IMS.mc1.lab", public_user_identities=("SIP:u@IMS.mc1.lab",))
    assert body == IdentitySet.model_validate(SET)


@pytest.mark.parametrize(
    ("kind", "body", "place"),
    [
        (IdentitySet, SET | {"private_user_identity": "nonsense"}, "private_user_identity"),
        (IdentitySet, SET | {"public_user_identities": []}, "public_user_identities"),
        (IdentitySet, SET | {"public_user_identities": ["sip:a@b"] * 2}, ""),
        (IdentitySet, SET | {"more": 1}, "more"),
        (LocationInformation, {}, ""),
        (LocationInformation, {"ecgi": "1"}, "ecgi"),
        (LocationInformation, {"coordinates": {"latitude": 91, "longitude": 0}}, "coordinates.latitude"),
        (LentRange, {"domain": "ims.mc2.lab", "prefix": "Mig!"}, "prefix"),
        (
            PrimarySipIdentitiesRequest,
            {"mc_service_ids": [], "default_identities": SET, "partner_mc_system": "x"},
            "mc_service_ids",
        ),
        (PrimarySipIdentitiesRequest, {"mc_service_ids": ["sip:a@b"], "default_identities": SET}, "partner_mc_system"),
        (PartnerSipIdentitiesRequest, {}, "primary_mc_system"),
        (ConnectionDetailsRequest, {}, "location_information"),
        (BindingEntry, ENTRY | {"state": "registered"}, "state"),
        (BindingEntry, ENTRY | {"binding": "a b"}, "binding"),
    ],
)
def test_a_wrong_body_is_refused_at_its_place(kind: type[BaseModel], body: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(body)
    assert ".".join(map(str, caught.value.errors()[0]["loc"])) == place


def test_a_binding_may_be_entered_without_a_version() -> None:
    entry = BindingEntry.model_validate(ENTRY)
    assert (entry.state, entry.enabled, entry.binding, entry.version) == ("allocated", True, None, None)


@pytest.mark.parametrize("kind", [Binding, FeedEntry])
def test_what_a_server_says_can_be_read_back(kind: type[BaseModel]) -> None:
    more = {"binding": "b-1", "enabled": True, "version": 7, "state": "held"}
    if kind is FeedEntry:
        more = {"binding": "b-1", "enabled": True, "version": 7, "not_after": "2030-01-01T00:00:00Z"}
    known = {name: value for name, value in (ENTRY | more).items() if name in kind.model_fields}
    body = kind.model_validate(known)
    assert kind.model_validate_json(body.model_dump_json()) == body


@pytest.mark.parametrize(
    ("moment", "fault"),
    [("9999-12-31T23:59:59-12:00", "year 9999 is after"), ("2030-01-01T00:00:00", "time zone")],
)
def test_a_moment_that_no_feed_could_tell_is_refused(moment: str, fault: str) -> None:
    body = {
        "migration_management_server": "mms.mc1.lab",
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "primary_mc_system_sip_identities": {
            "private_user_identity": "a@ims.mc1.lab",
            "public_user_identities": ["sip:a@ims.mc1.lab"],
        },
        "valid_until": moment,
    }
    with pytest.raises(ValidationError, match=fault):
        PartnerAccessRequest.model_validate(body)


@pytest.mark.parametrize("version", [-1, 10**30])
def test_an_acknowledged_version_is_one_that_a_feed_can_have(version: int) -> None:
    with pytest.raises(ValidationError):
        FeedAcknowledgement(proxy="proxy1.mc1.lab", version=version)
