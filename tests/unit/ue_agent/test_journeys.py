"""Arguments of people into values (the journeys themselves: tests/integration/ue_agent)."""

import pytest

from ue_agent.errors import UsageError
from ue_agent.journeys import parse_coordinates, parse_flow


def test_coordinates() -> None:
    location = parse_coordinates("48.2,-16.4")
    assert location is not None and location.coordinates is not None
    assert (location.coordinates.latitude, location.coordinates.longitude) == (48.2, -16.4)
    assert parse_coordinates(None) is None


@pytest.mark.parametrize("text", ["", "1", "a,b", "91,0", "0,181", "1,2,3", "nan,0"])
def test_no_point_on_earth(text) -> None:
    with pytest.raises(UsageError, match="--at"):
        parse_coordinates(text)


def test_flow() -> None:
    assert (parse_flow("password"), parse_flow("code")) == ("password", "code")
    with pytest.raises(UsageError, match="--flow"):
        parse_flow("magic")
