"""What the command line sends to a running server."""

import json
from pathlib import Path

import pytest

from mmserver.configuration.admin_client import AdminClient, load_entry, parsed
from mmserver.configuration.api_admin import WithdrawRequest
from mmserver.configuration.catalogue import Kind
from mmserver.configuration.peer import PeerUnreachable
from mmserver.configuration.terms import Partner, User
from mmserver.http.settings import ConfigError


def test_an_entry_is_read_with_the_files_that_it_names(partner, files: Path) -> None:
    area = {"type": "Polygon", "coordinates": [[[25, 60], [26, 60], [26, 61], [25, 60]]]}
    (files / "mc3.geojson").write_text(json.dumps(area))
    (files / "mc3.json").write_text(json.dumps(partner("mc3", service_area={"geojson": "mc3.geojson"})))
    found = load_entry(Kind.AGREEMENT, files / "mc3.json")
    assert isinstance(found, Partner)
    assert (found.ca, found.service_area.geojson) == ((files / "ca.pem").read_text(), area)
    (files / "erin.toml").write_text('mc_service_id = "sip:erin@mc1.lab"\nmigration = true\n')
    assert load_entry(Kind.USER, files / "erin.toml") == User(mc_service_id="sip:erin@mc1.lab", migration=True)


@pytest.mark.parametrize(("name", "text"), [("x.json", "junk"), ("x.json", "[]"), ("x.toml", "= 1"), ("x.toml", "")])
def test_a_file_that_is_no_entry_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=name):
        load_entry(Kind.USER, tmp_path / name)


def test_a_path_that_is_no_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    for path, why in ((Path(), "Is a directory"), (tmp_path / "none.toml", "No such file")):
        with pytest.raises(ConfigError, match=f"^{path}: {why}"):
            load_entry(Kind.USER, path)


def test_a_body_that_is_none_is_a_fault_of_one_line() -> None:
    with pytest.raises(ConfigError, match="other_mc_system"):
        parsed(WithdrawRequest, '{"reason": "x"}')


async def test_a_server_that_is_not_there_is_out_of_reach(make_config) -> None:
    async with AdminClient(make_config("mc1"), "https://127.0.0.1:1") as client:
        with pytest.raises(PeerUnreachable):
            await client.get("/agreements")
