"""Step 3 of 10.1.X.1: which partner MC system."""

import json
from pathlib import Path
from typing import Any

import pytest

from mmserver.configuration.config import ServiceArea
from mmserver.configuration.errors import NoSuitablePartner
from mmserver.configuration.selection import By, check_area, choose_partner
from mmserver.http.settings import ConfigError
from mmserver.messages import LocationInformation

WEST = [[25.0, 60.0], [26.0, 60.0], [26.0, 61.0], [25.0, 61.0]]
EAST = [[26.0, 60.0], [27.0, 60.0], [27.0, 61.0], [26.0, 61.0]]
IN_WEST = {"coordinates": {"latitude": 60.5, "longitude": 25.5}}
IN_EAST = {"coordinates": {"latitude": 60.5, "longitude": 26.5}}


@pytest.fixture
def partners(make_config, partner):
    return make_config(
        "mc1",
        partner("mc2", service_area={"polygon": WEST, "ecgi": ["00102-0ABCDEF"], "tracking_areas": ["00102-0002"]}),
        partner("mc3", service_area={"polygon": EAST, "ncgi": ["00103-0abcdef01"], "tracking_areas": ["00102-0002"]}),
        partner("mc4"),
    ).partners


def choose(requested: str | None, location: dict[str, Any], partners):
    return choose_partner(requested, LocationInformation.model_validate(location), partners)


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


def test_the_smallest_priority_wins_over_an_exacter_match(make_config, partner) -> None:
    partners = make_config(
        "mc1",
        partner("mc2", service_area={"ecgi": ["00102-0abcdef"]}, priority=2),
        partner("mc3", service_area={"polygon": WEST}, priority=1),
    ).partners
    assert choose(None, {**IN_WEST, "ecgi": "00102-0abcdef"}, partners).partner.name == "mc3"


@pytest.mark.parametrize(
    "location",
    [{"coordinates": {"latitude": 0, "longitude": 0}}, {"ecgi": "00102-0000000"}, {"tracking_area": "00109-0001"}],
)
def test_a_place_that_nobody_serves_is_refused_at_step_3(partners, location: dict[str, Any]) -> None:
    with pytest.raises(NoSuitablePartner, match="serves that location"):
        choose(None, location, partners)


def test_a_user_without_any_agreement_is_refused_at_step_3() -> None:
    with pytest.raises(NoSuitablePartner, match="covers the MC service user"):
        choose("mc2", IN_WEST, ())


@pytest.mark.parametrize("kind", ["Polygon", "Feature", "FeatureCollection"])
def test_an_area_can_be_a_geojson_file(make_config, partner, files: Path, kind: str) -> None:
    geometry = {"type": "Polygon", "coordinates": [[*WEST, WEST[0]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    documents = {
        "Polygon": geometry,
        "Feature": feature,
        "FeatureCollection": {"type": "FeatureCollection", "features": [feature]},
    }
    (files / f"{kind}.geojson").write_text(json.dumps(documents[kind]))
    partners = make_config("mc1", partner("mc2", service_area={"geojson": f"{kind}.geojson"})).partners
    assert choose(None, IN_WEST, partners).partner.name == "mc2"


@pytest.mark.parametrize(
    "text",
    [
        "junk",
        "[]",
        "{}",
        '{"type": "Point", "coordinates": [1, 1]}',
        '{"type": "Feature"}',
        '{"type": "FeatureCollection", "features": []}',
        '{"type": "Polygon", "coordinates": [["a", "b"]]}',
    ],
)
def test_a_file_that_is_no_area_is_a_configuration_fault(tmp_path: Path, text: str) -> None:
    (tmp_path / "area.geojson").write_text(text)
    with pytest.raises(ConfigError, match="service_area"):
        check_area(ServiceArea(geojson=tmp_path / "area.geojson"))


def test_an_area_without_geometry_needs_no_check() -> None:
    check_area(ServiceArea(ecgi=("00102-0abcdef",)))
