"""What is in force: the file and the entries of the API together."""

from pathlib import Path
from typing import Any

import pytest

from mmserver.configuration.catalogue import Entry, Kind, Source, make_catalogue, name_of, with_files_read
from mmserver.configuration.terms import Group, Partner, User
from mmserver.http.settings import ConfigError


@pytest.fixture
def entry_of(partner, files: Path):
    def make(name: str, **changes: Any) -> Entry:
        agreement = Partner.model_validate(partner(name, ca=(files / "ca.pem").read_text(), **changes))
        return Entry(Kind.AGREEMENT, name, agreement.model_dump_json(exclude_unset=True))

    return make


def user(name: str, **changes: Any) -> Entry:
    return Entry(Kind.USER, name, User(mc_service_id=name, **changes).model_dump_json())


def test_the_api_adds_to_the_file(make_config, partner, entry_of) -> None:
    crew = Entry(Kind.GROUP, "crew", Group(name="crew", members=("sip:alice@mc1.lab",)).model_dump_json())
    catalogue = make_catalogue(
        make_config("mc1", partner("mc2")),
        [entry_of("mc3", outbound_groups=["crew"]), user("sip:erin@mc1.lab", migration=True), crew],
    )
    assert sorted(catalogue.partners) == ["mc2", "mc3"]
    assert catalogue.users["sip:erin@mc1.lab"].migration
    assert catalogue.groups == {"crew": frozenset({"sip:alice@mc1.lab"})}
    assert catalogue.is_ours("SIP:ERIN@mc1.lab") and not catalogue.is_ours("sip:erin@mc2.lab")


def test_a_name_in_the_file_belongs_to_the_file(make_config, partner, entry_of) -> None:
    catalogue = make_catalogue(make_config("mc1", partner("mc2", priority=1)), [entry_of("mc2", priority=9)])
    assert catalogue.partners["mc2"].priority == 1
    shown = [(name_of(one.item), one.source, one.overruled) for one in catalogue.listed[Kind.AGREEMENT]]
    assert shown == [("mc2", Source.FILE, False), ("mc2", Source.API, True)]


def test_a_partner_is_found_by_the_name_in_its_certificate(make_config, partner) -> None:
    catalogue = make_catalogue(make_config("mc1", partner("mc2"), partner("mc3")))
    found = catalogue.by_client_name({"CMS.mc2.lab", "other"})
    assert found is not None and found.name == "mc2"
    assert catalogue.by_client_name({"cms.mc2.lab", "cms.mc3.lab"}) is None
    assert catalogue.by_client_name({"cms.mc9.lab"}) is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"client_name": "CMS.mc2.lab"}, "client_name: cms.mc2.lab is that of mc2"),
        ({"client_name": "admin.mc1.lab"}, "client_name: admin.mc1.lab is a client of our own"),
        ({"client_name": "prometheus.mc1.lab"}, "client_name: prometheus.mc1.lab is a client of our own"),
        ({"inbound_groups": ["nobody"]}, "no such group: nobody"),
        ({"service_area": {"geojson": {"type": "Point", "coordinates": [1, 1]}}}, "wanted an area"),
    ],
)
def test_what_cannot_stand_beside_the_rest_is_refused(
    make_config, partner, entry_of, changes: dict[str, Any], fault: str
) -> None:
    """Two configuration management servers never claim one certificate name, nor an operator's."""
    config = make_config(
        "mc1",
        partner("mc2"),
        admin={"clients": ["admin.mc1.lab"]},
        metrics={"clients": ["prometheus.mc1.lab"]},
    )
    with pytest.raises(ConfigError, match=fault):
        make_catalogue(config, [entry_of("mc3", **changes)])


def test_a_system_is_not_its_own_partner_and_grants_what_it_has(
    make_config, partner, entry_of, configuration_of
) -> None:
    with pytest.raises(ConfigError, match="mc1 is this system"):
        make_catalogue(make_config("mc1"), [entry_of("mc1")])
    data = {**configuration_of("mc1"), "services": ["mcptt"]}
    with pytest.raises(ConfigError, match="this system has none of them"):
        make_catalogue(make_config("mc1", partner("mc2", services=["mcdata"]), initial_ue_configuration=data))


def test_a_document_of_another_version_is_named(make_config) -> None:
    with pytest.raises(ConfigError, match=r"user sip:x@mc1\.lab"):
        make_catalogue(make_config("mc1"), [Entry(Kind.USER, "sip:x@mc1.lab", '{"surplus": 1}')])


def test_an_authority_that_is_none_is_named(partner) -> None:
    junk = "-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n"
    with pytest.raises(ConfigError, match="agreement mc2: ca: no certificate"):
        with_files_read(Partner.model_validate(partner("mc2", ca=junk)))
