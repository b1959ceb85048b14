"""cms.toml as a frozen value."""

from pathlib import Path
from typing import Any

import pytest

from mmserver.configuration.config import load_config
from mmserver.http.settings import ConfigError


def test_a_whole_configuration_is_read(make_config, partner) -> None:
    area = {"polygon": [[25.0, 60.0], [26.0, 60.0], [26.0, 61.0]], "ecgi": ["00101-0abcdef"]}
    config = make_config("mc1", partner("mc2", service_area=area, priority=3))
    assert [(one.name, one.priority) for one in config.partners] == [("mc2", 3)]
    assert (config.store, config.admin.clients, config.metrics.clients) == (None, (), ())
    assert config.idms.scopes[0] == "3gpp:mc:ptt_config_management_service"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partners": [{"name": "mc2"}]}, "cms.toml: partners.0.cms: is missing"),
        ({"limits": {"burst": 0}}, "cms.toml: limits.burst: 0 is less than 1"),
        ({"http": {"address": "x", "port": 70000}}, "cms.toml: http.port: 70000 is more than 65535"),
        ({"store": {"url": "x"}}, "cms.toml: store.url: String should match pattern"),
        ({"store": {"url": "postgresql+psycopg://cms@h:99999/cms"}}, "cms.toml: store.url: its port is not one of"),
        ({"stores": {}}, "cms.toml: stores: no such setting"),
        ({"mms": {"url": "http://mms", "ca": "ca.pem"}}, "cms.toml: mms.url: wanted https"),
        ({"mms": {"url": "https://mms", "ca": "none.pem"}}, "cms.toml: mms.ca: no such file"),
    ],
)
def test_each_fault_is_one_line_that_names_the_place(make_config, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make_config("mc1", **changes)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_names_stand_once(make_config, partner) -> None:
    with pytest.raises(ConfigError, match="partners: mc2 stands twice"):
        make_config("mc1", partner("mc2"), partner("mc2"))
    with pytest.raises(ConfigError, match="client_name: same"):
        make_config("mc1", partner("mc2", client_name="same"), partner("mc3", client_name="Same"))
    with pytest.raises(ConfigError, match="mc1 is this system"):
        make_config("mc1", partner("mc1"))


def test_configuration_data_is_of_the_system_that_it_stands_with(make_config, partner, configuration_of) -> None:
    assert make_config("mc1", partner("mc2", initial_ue_configuration=configuration_of("mc2")))
    with pytest.raises(ConfigError, match="mc3 is not mc2"):
        make_config("mc1", partner("mc2", initial_ue_configuration=configuration_of("mc3")))
    with pytest.raises(ConfigError, match="wanted mc1"):
        make_config("mc1", initial_ue_configuration=configuration_of("mc2"))


def test_a_time_needs_its_zone(make_config, partner) -> None:
    with pytest.raises(ConfigError, match="wanted a time with its zone"):
        make_config("mc1", partner("mc2", valid_until="2027-01-01T00:00:00"))


def test_a_polygon_needs_three_points(make_config, partner) -> None:
    with pytest.raises(ConfigError, match="three different points"):
        make_config("mc1", partner("mc2", service_area={"polygon": [[1, 1], [2, 2], [1, 1]]}))


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "cms.toml")
