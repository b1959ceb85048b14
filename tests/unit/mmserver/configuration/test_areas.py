"""Service areas: GeoJSON as it comes, and as it should not."""

import json
from pathlib import Path
from typing import Any

import pytest

from mmserver.configuration.areas import DEPTH_MAX, ServiceAreas, make_surface
from mmserver.http.settings import ConfigError
from mmserver.messages import Coordinates

RING = [[25.0, 60.0], [26.0, 60.0], [26.0, 61.0], [25.0, 61.0], [25.0, 60.0]]
POLYGON: dict[str, Any] = {"type": "Polygon", "coordinates": [RING]}
FEATURE = {"type": "Feature", "properties": {}, "geometry": POLYGON}
INSIDE, OUTSIDE = Coordinates(latitude=60.5, longitude=25.5), Coordinates(latitude=0, longitude=0)
UNLOCATED = {"type": "Feature", "properties": {}, "geometry": None}


@pytest.mark.parametrize(
    "document",
    [
        POLYGON,
        FEATURE,
        {"type": "FeatureCollection", "features": [FEATURE, UNLOCATED]},
        {"type": "GeometryCollection", "geometries": [POLYGON]},
        {"type": "MultiPolygon", "coordinates": [[RING]]},
    ],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_an_area_is_geojson_in_a_file_or_in_line(
    catalogue_of, partner, files: Path, document: dict[str, Any], in_file: bool
) -> None:
    (files / "area.geojson").write_text(json.dumps(document))
    area = {"geojson": "area.geojson" if in_file else document}
    catalogue = catalogue_of("mc1", partner("mc2", service_area=area), partner("mc3"))
    mc2, mc3 = catalogue.partners["mc2"], catalogue.partners["mc3"]
    assert catalogue.areas.inside(INSIDE, mc2) and not catalogue.areas.inside(OUTSIDE, mc2)
    assert not catalogue.areas.inside(INSIDE, mc3)


def test_a_bow_tie_is_mended(catalogue_of, partner) -> None:
    bow_tie = {"type": "Polygon", "coordinates": [[[25, 60], [26, 61], [26, 60], [25, 61], [25, 60]]]}
    mc2 = catalogue_of("mc1", partner("mc2", service_area={"geojson": bow_tie})).partners["mc2"]
    assert ServiceAreas().inside(Coordinates(latitude=60.5, longitude=25.1), mc2)


def nested(depth: int) -> dict[str, Any]:
    document = POLYGON
    for _ in range(depth):
        document = {"type": "GeometryCollection", "geometries": [document]}
    return document


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Point", "coordinates": [1, 1]},
        {"type": "Nonsense"},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": None},
        {"type": "Polygon", "coordinates": [["a", "b"]]},
        {"type": "Polygon", "coordinates": [[[1, 1], [2, 2]]]},
        {"type": "Polygon", "coordinates": [[[60, 250], [61, 250], [61, 260], [60, 250]]]},
        {"type": "Polygon", "coordinates": [[[float("nan"), 1], [2, 2], [3, 1], [float("nan"), 1]]]},
        {"type": "Polygon", "coordinates": [[[1e400, 1], [2, 2], [3, 1], [1e400, 1]]]},
        {"type": "Feature"},
        {"type": "Feature", "geometry": None},
        {"type": "FeatureCollection", "features": []},
        {"type": "FeatureCollection", "features": {}},
        {"type": "FeatureCollection", "features": ["x"]},
        {"type": ["Polygon"]},
        {"nothing": 1},
        nested(DEPTH_MAX + 1),
    ],
    ids=lambda document: json.dumps(document)[:60],
)
def test_what_is_no_area_is_a_fault_of_one_line(document: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="agreement mc2: service_area") as raised:
        make_surface(document, (), "mc2")
    assert "\n" not in str(raised.value)


def test_an_area_may_not_be_endless() -> None:
    ring = [[25 + number / 200_000, 60 + (number % 2) / 10] for number in range(100_001)]
    with pytest.raises(ConfigError, match="over 100000 positions"):
        make_surface({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}, (), "mc2")
