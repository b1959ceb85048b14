"""Cx-User-Data: held to the element order of TS 29.228 Annex E, and to what Kamailio reads."""

from lxml import etree

from mmserver.identity import parse_sip_identities
from mmserver.migration.config import FilterCriterion
from mmserver.migration.user_data import user_data

SET = parse_sip_identities("mig-a@ims.mc2.lab", ["sip:mig-1&2@ims.mc2.lab", "sip:mig-b@ims.mc2.lab"])


def test_the_least_document() -> None:
    assert user_data(parse_sip_identities("u@d", ["sip:u@d"])).decode().split("?>")[1] == (
        "<IMSSubscription><PrivateID>u@d</PrivateID><ServiceProfile><PublicIdentity>"
        "<BarringIndication>0</BarringIndication><Identity>sip:u@d</Identity></PublicIdentity>"
        "</ServiceProfile></IMSSubscription>"
    )


def test_the_whole_implicit_set_is_there_and_escaped() -> None:
    document = etree.fromstring(user_data(SET))
    assert [node.text for node in document.iter("Identity")] == list(SET.public_user_identities)


def test_a_filter_criterion_has_its_points_in_groups() -> None:
    criterion = FilterCriterion(
        priority=1,
        application_server="sip:mc.mc2.lab",
        default_handling="terminated",
        methods=("REGISTER", "PUBLISH"),
        header="Contact",
        header_content=r"\+g\.3gpp\.mcptt",
        session_case=0,
        include_register_request=True,
        include_register_response=True,
    )
    document = etree.fromstring(user_data(SET, (criterion,)))
    found = document.find("ServiceProfile/InitialFilterCriteria")
    assert found is not None
    assert [child.tag for child in found] == ["Priority", "TriggerPoint", "ApplicationServer"]
    assert [node.text for node in found.iter("Group")] == ["0", "0", "1", "2"]
    assert found.findtext("ApplicationServer/DefaultHandling") == "1"
    assert found.find("ApplicationServer/Extension/IncludeRegisterRequest") is not None


def test_a_criterion_without_points_has_no_trigger() -> None:
    document = etree.fromstring(user_data(SET, (FilterCriterion(application_server="sip:mc.mc2.lab"),)))
    found = document.find("ServiceProfile/InitialFilterCriteria")
    assert found is not None
    assert found.find("TriggerPoint") is None
