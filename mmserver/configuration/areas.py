"""Service areas: does a partner serve this place?  Geometry by shapely, loaded when the first area is looked at."""

from collections.abc import Iterator
from typing import Any, Final

from mmserver.configuration.terms import Partner
from mmserver.http.settings import ConfigError
from mmserver.messages import Coordinates

POSITIONS_MAX: Final = 100_000
GEOMETRIES_MAX: Final = 10_000
DEPTH_MAX: Final = 16


class ServiceAreas:
    """The surfaces of one catalogue's partners, each made when it is first wanted."""

    def __init__(self) -> None:
        self._surfaces: dict[str, Any] = {}

    def check(self, partner: Partner) -> None:
        """Read the partner's geometry.

        Raises:
            ConfigError: it is no area.
        """
        self._surface(partner)

    def inside(self, coordinates: Coordinates, partner: Partner) -> bool:
        """Say whether the partner's polygons hold the point, their borders included."""
        surface = self._surface(partner)
        if surface is None:
            return False
        from shapely import Point

        return bool(surface.covers(Point(coordinates.longitude, coordinates.latitude)))

    def _surface(self, partner: Partner) -> Any:
        area = partner.service_area
        if area.geojson is None and not area.polygon:
            return None
        if partner.name not in self._surfaces:
            assert not isinstance(area.geojson, str), "files are read when the catalogue is made"
            self._surfaces[partner.name] = make_surface(area.geojson, area.polygon, partner.name)
        return self._surfaces[partner.name]


def make_surface(geojson: dict[str, Any] | None, polygon: tuple[tuple[float, float], ...], name: str) -> Any:
    """Return the union of a GeoJSON document's polygons and of one more.

    Raises:
        ConfigError: there is no area in it.
    """
    import shapely
    from shapely.geometry import shape

    try:
        shapes = [shape(geometry) for geometry in _geometries(geojson, 0)] if geojson else []
        shapes += [shapely.Polygon(polygon)] if polygon else []
        if sum(shapely.get_num_coordinates(one) for one in shapes) > POSITIONS_MAX:
            raise ConfigError(f"agreement {name}: service_area: over {POSITIONS_MAX} positions")
        surface = shapely.union_all([one if one.is_valid else shapely.make_valid(one) for one in shapes])
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
        OverflowError,
        shapely.errors.ShapelyError,
    ) as exc:
        raise ConfigError(f"agreement {name}: service_area: not an area: {exc or type(exc).__name__}") from exc
    if not surface.area > 0:  # NaN too
        raise ConfigError(f"agreement {name}: service_area: wanted an area of polygons")
    west, south, east, north = surface.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise ConfigError(f"agreement {name}: service_area: positions are longitude, latitude (RFC 7946 §3.1.1)")
    shapely.prepare(surface)
    return surface


def _geometries(document: Any, depth: int) -> Iterator[Any]:
    """Yield the geometries of a GeoJSON document: feature collection, feature, collection or geometry (RFC 7946 §3)."""
    if depth > DEPTH_MAX:
        raise ValueError(f"geometries nested over {DEPTH_MAX} deep")
    match document["type"]:
        case "FeatureCollection":
            below = [feature["geometry"] for feature in document["features"]]
        case "Feature":
            below = [document["geometry"]]
        case "GeometryCollection":
            below = document["geometries"]
        case _:
            yield document
            return
    if not isinstance(below, list) or len(below) > GEOMETRIES_MAX:
        raise ValueError(f"wanted at most {GEOMETRIES_MAX} geometries")
    for one in below:
        if one is not None:  # an unlocated feature (RFC 7946 §3.2)
            yield from _geometries(one, depth + 1)
