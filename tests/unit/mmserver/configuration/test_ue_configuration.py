"""Initial UE configuration data as XML (TS 24.484 §7.2)."""

from datetime import UTC, datetime
from xml.etree.ElementTree import fromstring

import pytest

from mmserver.configuration.ue_configuration import (
    EXTENSION,
    MEDIA_TYPE,
    NAMESPACE,
    format_configuration,
    format_connection_details,
    wants_xml,
)
from mmserver.messages import ConnectionDetailsResponse, InitialUeConfiguration

N, M = {"m": NAMESPACE}, {"m": NAMESPACE, "x": EXTENSION}


@pytest.fixture
def data(configuration_of) -> InitialUeConfiguration:
    pdn = [
        {"apn": "mc.mc2", "service": "mc-services", "authentication": "chap", "username": "u", "password": "p&<"},
        {"apn": "id.mc2", "service": "mc-identity-management"},
    ]
    return InitialUeConfiguration.model_validate(
        {**configuration_of("mc2"), "pdn_access": pdn, "trust_anchors": ["-----BEGIN"], "timers": {"t100": 9}}
    )


def text(document: bytes, path: str) -> str | None:
    return fromstring(document).findtext(path, namespaces=M)


def test_the_document_has_the_elements_of_the_schema_in_their_order(data: InitialUeConfiguration) -> None:
    root = fromstring(format_configuration(data))
    assert root.tag == f"{{{NAMESPACE}}}mcptt-UE-initial-configuration"
    assert root.attrib == {"domain": "ims.mc2.lab"}
    network = root.find("m:on-network", N)
    assert network is not None
    assert [child.tag.partition("}")[2] for child in network] == [
        "Timers", "HPLMN", "App-Server-Info", "GMS-URI", "group-creation-XUI", "GMS-XCAP-root-URI",
        "CMS-XCAP-root-URI", "integrity-protection-enabled", "confidentiality-protection-enabled", "anyExt",
    ]  # fmt: skip
    timers = network.find("m:Timers", N)
    assert timers is not None
    assert [(child.tag.partition("}")[2], child.text) for child in timers] == [
        ("T100", "9"), ("T101", "5"), ("T103", "5"), ("T104", "5"), ("T132", "5"),
    ]  # fmt: skip


def test_plmn_pdns_and_servers_are_where_the_schema_has_them(data: InitialUeConfiguration) -> None:
    document = format_configuration(data)
    root = fromstring(document)
    plmn = root.find("m:on-network/m:HPLMN", N)
    assert plmn is not None and plmn.get("PLMN") == "00102"
    service = "m:on-network/m:HPLMN/m:service/m:"
    assert text(document, service + "MCPTT-to-con-ref") == "mc.mc2"
    assert text(document, service + "MC-common-core-to-con-ref") == ""
    assert text(document, service + "MC-ID-to-con-ref") == "id.mc2"
    assert text(document, "m:on-network/m:App-Server-Info/m:idms-token-endpoint") == "https://idms.mc2.lab/token"


def test_what_the_schema_has_no_element_for_is_in_any_ext(data: InitialUeConfiguration) -> None:
    document = format_configuration(data)
    extension = "m:on-network/m:anyExt/x:"
    assert text(document, extension + "p-cscf") == "sip:10.77.2.10:5060"
    assert text(document, extension + "pdn-access/x:password") == "p&<"
    assert text(document, extension + "trust-anchor") == "-----BEGIN"


def test_connection_details_carry_the_lent_identities(data: InitialUeConfiguration) -> None:
    details = ConnectionDetailsResponse.model_validate(
        {
            "partner_mc_system": "mc2",
            "partner_mc_system_sip_identities": {
                "private_user_identity": "mig@ims.mc2.lab",
                "public_user_identities": ["sip:mig@ims.mc2.lab", "sip:mig2@ims.mc2.lab"],
            },
            "initial_ue_configuration": data,
            "valid_until": datetime(2027, 1, 1, tzinfo=UTC),
        }
    )
    root = fromstring(format_connection_details(details))
    extension = root.find("m:anyExt/x:connection-details", M)
    assert extension is not None
    assert [child.text for child in extension] == [
        "mc2", "mig@ims.mc2.lab", "sip:mig@ims.mc2.lab", "sip:mig2@ims.mc2.lab", "2027-01-01T00:00:00+00:00",
    ]  # fmt: skip


def test_what_xml_cannot_hold_is_dropped(data: InitialUeConfiguration) -> None:
    dirty = data.model_copy(update={"gms": "https://gms\x00\x0b\ufffe.mc2.lab"})
    assert text(format_configuration(dirty), "m:on-network/m:GMS-URI") == "https://gms.mc2.lab"


@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        (MEDIA_TYPE, True),
        (MEDIA_TYPE.upper(), True),
        (f"{MEDIA_TYPE}, application/json", False),
        (f"{MEDIA_TYPE}, application/json;q=0.5", True),
        (f"{MEDIA_TYPE};q=0", False),
        (f"{MEDIA_TYPE};q=junk", False),
        ("application/xml", False),
    ],
)
def test_xml_is_given_to_those_who_put_it_first(accept: str | None, xml: bool) -> None:
    """RFC 9110 §12.5.1."""
    assert wants_xml(accept) is xml
