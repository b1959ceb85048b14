"""Step 3: which partner MC system?  The one asked for if an agreement covers the user, else by location.

A cell says more than a tracking area, and that more than coordinates; the agreement's priority comes before all.
shapely is loaded when the first coordinates are looked up in an area.
"""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from mmserver.configuration.config import Partner, ServiceArea
from mmserver.configuration.errors import NoSuitablePartner
from mmserver.http.settings import ConfigError
from mmserver.messages import Coordinates, LocationInformation


class By(Enum):
    """What determined the partner."""

    REQUEST = "request"
    LOCATION = "location"


@dataclass(frozen=True, slots=True)
class Choice:
    """The partner of step 3, and why this one."""

    partner: Partner
    by: By


def choose_partner(requested: str | None, location: LocationInformation, candidates: Iterable[Partner]) -> Choice:
    """Return the partner to migrate to; ``candidates`` are those whose agreement covers the user.

    Raises:
        NoSuitablePartner: none of them serves the location.
    """
    candidates = tuple(candidates)
    for partner in candidates:
        if partner.name == requested:
            return Choice(partner, By.REQUEST)
    if not candidates:
        raise NoSuitablePartner("no migration agreement in force covers the MC service user")
    ranked = [
        (partner.priority, rank, partner.name, partner)
        for partner in candidates
        if (rank := _rank(location, partner.service_area)) is not None
    ]
    if not ranked:
        raise NoSuitablePartner("no partner MC system with a migration agreement for the user serves that location")
    return Choice(min(ranked, key=lambda one: one[:3])[3], By.LOCATION)


def check_area(area: ServiceArea) -> None:
    """Read the area's geometry.

    Raises:
        ConfigError: the GeoJSON file or the polygon is no area.
    """
    if area.geojson is not None or area.polygon:
        _surface(area.geojson, area.polygon)


def _rank(location: LocationInformation, area: ServiceArea) -> int | None:
    """Return how exactly the area holds the location, 0 best, or None when it does not."""
    if _listed(location.ecgi, area.ecgi) or _listed(location.ncgi, area.ncgi):
        return 0
    if _listed(location.tracking_area, area.tracking_areas):
        return 1
    if location.coordinates is not None and _inside(location.coordinates, area):
        return 2
    return None


def _listed(text: str | None, texts: tuple[str, ...]) -> bool:
    return text is not None and text.lower() in (one.lower() for one in texts)


def _inside(coordinates: Coordinates, area: ServiceArea) -> bool:
    if area.geojson is None and not area.polygon:
        return False
    from shapely import Point

    surface = _surface(area.geojson, area.polygon)
    return bool(surface.covers(Point(coordinates.longitude, coordinates.latitude)))


@functools.lru_cache(maxsize=1024)
def _surface(geojson: Path | None, polygon: tuple[tuple[float, float], ...]) -> Any:
    """Return the union of the polygons of a GeoJSON file and of the inline polygon."""
    import shapely
    from shapely.geometry import shape

    try:
        shapes = [shape(geometry) for geometry in _geometries(json.loads(geojson.read_text()))] if geojson else []
        shapes += [shapely.Polygon(polygon)] if polygon else []
        surface = shapely.union_all([one if one.is_valid else shapely.make_valid(one) for one in shapes])
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        shapely.errors.ShapelyError,
    ) as exc:
        raise ConfigError(f"service_area: {geojson or 'polygon'}: not an area: {exc}") from exc
    if surface.area <= 0:
        raise ConfigError(f"service_area: {geojson or 'polygon'}: wanted an area of polygons")
    shapely.prepare(surface)
    return surface


def _geometries(document: Any) -> list[Any]:
    """Return the geometries of a GeoJSON document: a feature collection, a feature or a geometry (RFC 7946 §3)."""
    match document["type"]:
        case "FeatureCollection":
            return [feature["geometry"] for feature in document["features"]]
        case "Feature":
            return [document["geometry"]]
    return [document]
