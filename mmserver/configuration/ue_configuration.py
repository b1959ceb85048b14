"""Initial UE configuration data as the XML document of TS 24.484 §7.2, beside the JSON of ``mmserver.messages``.

The document is the MCS UE initial configuration document (namespace of Rel-13).  What it has no element for, the home
domain, P-CSCF, PDN credentials and trust anchors, and at step 13 the partner MC system SIP identities, is in
``anyExt`` under a namespace of ours, where its schema lets extensions stand.
"""

import re
from datetime import UTC
from typing import Final
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from mmserver.messages import ConnectionDetailsResponse, InitialUeConfiguration

MEDIA_TYPE: Final = "application/vnd.3gpp.mcptt-ue-init-config+xml"
NAMESPACE: Final = "urn:3gpp:mcptt:mcpttUEinitConfig:1.0"
EXTENSION: Final = "urn:mc-migration:connectivity:1"
JSON: Final = "application/json"

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONNECTIONS: Final = (
    ("MCPTT-to-con-ref", "mc-services"),
    ("MC-common-core-to-con-ref", "mc-common-core"),
    ("MC-ID-to-con-ref", "mc-identity-management"),
)

register_namespace("", NAMESPACE)
register_namespace("mig", EXTENSION)


def format_configuration(data: InitialUeConfiguration) -> bytes:
    """Return the document of one MC system."""
    return _octets(_document(data))


def format_connection_details(details: ConnectionDetailsResponse) -> bytes:
    """Return the document of the partner, with the partner MC system SIP identities of step 13 in it."""
    document = _document(details.initial_ue_configuration)
    extension = _ours(_add(document, "anyExt"), "connection-details")
    _ours(extension, "partner-mc-system", details.partner_mc_system)
    identities = details.partner_mc_system_sip_identities
    _ours(extension, "private-user-identity", identities.private_user_identity)
    for identity in identities.public_user_identities:
        _ours(extension, "public-user-identity", identity)
    _ours(extension, "valid-until", details.valid_until.astimezone(UTC).isoformat())
    return _octets(document)


def wants_xml(accept: str | None) -> bool:
    """Say whether an Accept header puts the XML document before JSON (RFC 9110 §12.5.1)."""
    qualities = {MEDIA_TYPE: 0.0, JSON: 0.0 if accept else 1.0}
    for entry in (accept or "")[:1024].lower().split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        if media_type in qualities:
            qualities[media_type] = _quality(parameters)
    return qualities[MEDIA_TYPE] > qualities[JSON]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _document(data: InitialUeConfiguration) -> Element:
    document = Element(f"{{{NAMESPACE}}}mcptt-UE-initial-configuration", {"domain": _clean(data.home_domain)})
    _add(document, "name", data.mc_system)
    network = _add(document, "on-network")
    timers = _add(network, "Timers")
    for name, seconds in data.timers:
        _add(timers, name.upper(), str(seconds))
    _add_plmn(network, data)
    _add_servers(network, data)
    _add(network, "GMS-URI", data.gms)
    _add(network, "group-creation-XUI")
    _add(network, "GMS-XCAP-root-URI", data.gms)
    _add(network, "CMS-XCAP-root-URI", data.cms)
    _add(network, "integrity-protection-enabled", "false")
    _add(network, "confidentiality-protection-enabled", "false")
    _add_connectivity(_add(network, "anyExt"), data)
    return document


def _add_plmn(network: Element, data: InitialUeConfiguration) -> None:
    service = _add(_add(network, "HPLMN", PLMN=data.plmn), "service")
    names: dict[str, str] = {access.service: access.apn for access in data.pdn_access}
    for element, name in _CONNECTIONS:
        _add(service, element, names.get(name, ""))


def _add_servers(network: Element, data: InitialUeConfiguration) -> None:
    servers = _add(network, "App-Server-Info")
    _add(servers, "idms-auth-endpoint", data.idms_auth_endpoint)
    _add(servers, "idms-token-endpoint", data.idms_token_endpoint)
    _add(servers, "http-proxy", data.http_proxy)
    _add(servers, "gms", data.gms)
    _add(servers, "cms", data.cms)
    _add(servers, "kms", data.kms)
    _add(_add(servers, "tls-tunnel-auth-method"), "mutual-authentication", "false")


def _add_connectivity(extension: Element, data: InitialUeConfiguration) -> None:
    _ours(extension, "home-domain", data.home_domain)
    for uri in data.p_cscf:
        _ours(extension, "p-cscf", uri)
    _ours(extension, "idms-issuer", data.idms_issuer)
    for access in data.pdn_access:
        pdn = _ours(extension, "pdn-access", service=access.service, authentication=access.authentication)
        _ours(pdn, "apn", access.apn)
        if access.username is not None:
            _ours(pdn, "username", access.username)
        if access.password is not None:
            _ours(pdn, "password", access.password)
    for anchor in data.trust_anchors:
        _ours(extension, "trust-anchor", anchor)


def _add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    return _element(parent, f"{{{NAMESPACE}}}{name}", text, attributes)


def _ours(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    return _element(parent, f"{{{EXTENSION}}}{name}", text, attributes)


def _element(parent: Element, name: str, text: str, attributes: dict[str, str]) -> Element:
    element = SubElement(parent, name, {key: _clean(value) for key, value in attributes.items()})
    element.text = _clean(text)
    return element


def _clean(text: str) -> str:
    """Drop what XML 1.0 cannot hold: the data may be a partner's."""
    return _NOT_XML.sub("", text)


def _octets(document: Element) -> bytes:
    return bytes(tostring(document, encoding="utf-8", xml_declaration=True))
