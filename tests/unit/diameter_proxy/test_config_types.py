"""A relative path of the file lies beside it; names are in lower case."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from diameter_proxy.config_types import ConfigFile, ConfigPath, DiameterIdentity


def test_paths_lie_beside_the_file(tmp_path):
    context = {"folder": tmp_path}
    assert TypeAdapter(ConfigPath).validate_python("a.sock", context=context) == tmp_path / "a.sock"
    assert TypeAdapter(ConfigPath).validate_python("/a.sock", context=context) == Path("/a.sock")
    with pytest.raises(ValidationError, match="no such file"):
        TypeAdapter(ConfigFile).validate_python("none.pem", context=context)


def test_diameter_identities_are_compared_in_lower_case():
    assert TypeAdapter(DiameterIdentity).validate_python("HSS.mc1.Lab") == "hss.mc1.lab"
    with pytest.raises(ValidationError):
        TypeAdapter(DiameterIdentity).validate_python("hss mc1")
