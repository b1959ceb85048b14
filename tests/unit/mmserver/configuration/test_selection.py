"""Step 3 of 10.1.X.1: which partner MC system."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mmserver.configuration.errors import NoSuitablePartner
from mmserver.configuration.selection import By, choose_partner, consider
from mmserver.messages import LocationInformation

WEST = [[25.0, 60.0], [26.0, 60.0], [26.0, 61.0], [25.0, 61.0]]
EAST = [[26.0, 60.0], [27.0, 60.0], [27.0, 61.0], [26.0, 61.0]]
IN_WEST = {"coordinates": {"latitude": 60.5, "longitude": 25.5}}
IN_EAST = {"coordinates": {"latitude": 60.5, "longitude": 26.5}}
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def partners(catalogue_of, partner):
    return catalogue_of(
        "mc1",
        partner("mc2", service_area={"polygon": WEST, "ecgi": ["00102-0ABCDEF"], "tracking_areas": ["00102-0002"]}),
        partner("mc3", service_area={"polygon": EAST, "ncgi": ["00103-0abcdef01"], "tracking_areas": ["00102-0002"]}),
        partner("mc4"),
    )


def choose(requested: str | None, location: dict[str, Any], partners):
    alice = partners.users["sip:alice@mc1.lab"]
    return choose_partner(requested, LocationInformation.model_validate(location), [alice], partners, NOW)


def test_the_partner_asked_for_is_taken_wherever_the_ue_is(partners) -> None:
    choice = choose("mc4", IN_WEST, partners)
    assert (choice.partner.name, choice.by) == ("mc4", By.REQUEST)


def test_without_an_agreement_with_the_partner_asked_for_the_location_decides(partners) -> None:
    choice = choose("mc9", IN_EAST, partners)
    assert (choice.partner.name, choice.by) == ("mc3", By.LOCATION)


@pytest.mark.parametrize(
    ("location", "name"),
    [
        (IN_WEST, "mc2"),
        (IN_EAST, "mc3"),
        ({"ecgi": "00102-0abcdef"}, "mc2"),
        ({"ncgi": "00103-0ABCDEF01"}, "mc3"),
        ({"tracking_area": "00102-0002"}, "mc2"),
        ({"coordinates": {"latitude": 60.0, "longitude": 26.0}}, "mc2"),
        ({**IN_WEST, "ncgi": "00103-0abcdef01"}, "mc3"),
        ({**IN_EAST, "ecgi": "00199-0000001"}, "mc3"),
    ],
)
def test_the_location_names_the_partner(partners, location: dict[str, Any], name: str) -> None:
    assert choose(None, location, partners).partner.name == name


def test_the_smallest_priority_wins_over_an_exacter_match(catalogue_of, partner) -> None:
    partners = catalogue_of(
        "mc1",
        partner("mc2", service_area={"ecgi": ["00102-0abcdef"]}, priority=2),
        partner("mc3", service_area={"polygon": WEST}, priority=1),
    )
    assert choose(None, {**IN_WEST, "ecgi": "00102-0abcdef"}, partners).partner.name == "mc3"


@pytest.mark.parametrize(
    "location",
    [{"coordinates": {"latitude": 0, "longitude": 0}}, {"ecgi": "00102-0000000"}, {"tracking_area": "00109-0001"}],
)
def test_a_place_that_nobody_serves_is_refused_at_step_3(partners, location: dict[str, Any]) -> None:
    with pytest.raises(NoSuitablePartner, match="serves that location"):
        choose(None, location, partners)


def test_a_user_without_any_agreement_is_refused_at_step_3(catalogue_of) -> None:
    with pytest.raises(NoSuitablePartner, match="covers the MC service user"):
        choose("mc2", IN_WEST, catalogue_of("mc1"))


def test_every_partner_that_was_considered_says_why_it_does_not_fit(catalogue_of, partner) -> None:
    """For the operator's log and dry run; the UE learns that none did."""
    catalogue = catalogue_of(
        "mc1",
        partner("mc2", service_area={"polygon": WEST}),
        partner("mc3", service_area={"polygon": EAST}),
        partner("mc4", outbound_users=[]),
        partner("mc5", valid_until="2020-01-01T00:00:00Z", service_area={"polygon": WEST}),
    )
    alice = catalogue.users["sip:alice@mc1.lab"]
    found = consider(LocationInformation.model_validate(IN_WEST), (alice,), catalogue, NOW)
    assert {one.partner.name: one.why_not for one in found} == {
        "mc2": "",
        "mc3": "its service area does not hold the location",
        "mc4": "the agreement does not cover the user",
        "mc5": "the agreement was in force until 2020-01-01T00:00:00+00:00",
    }
    with pytest.raises(NoSuitablePartner) as raised:
        choose(None, {"tracking_area": "00109-0001"}, catalogue)
    assert len(raised.value.considered) == 4
