"""The configuration file."""

import pytest

from lab.systems.mcservice.config import ConfigError, load_config

GOOD = 'name = "m"\naddress = "10.0.0.1"\ncore = ["10.0.0.2"]\nissuer = "https://idms"\nca = "ca.pem"\n'


def test_a_file_becomes_a_value(tmp_path) -> None:
    (tmp_path / "mcs.toml").write_text(GOOD)
    assert load_config(tmp_path / "mcs.toml").port == 5060


@pytest.mark.parametrize(
    "text", [GOOD + "x = 1\n", GOOD.replace("https", "http"), GOOD.replace('["10.0.0.2"]', "[]"), "="]
)
def test_a_fault_is_one_line(tmp_path, text) -> None:
    (tmp_path / "mcs.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"mcs\.toml"):
        load_config(tmp_path / "mcs.toml")
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_config(tmp_path / "none.toml")
