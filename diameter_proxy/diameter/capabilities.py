"""What a node says of itself in CER and CEA, and whether two nodes can talk (RFC 6733 §5.3)."""

from dataclasses import dataclass
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CEA, CER, RELAY
from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.formats import IpAddress
from diameter_proxy.diameter.grammar import check_avp_flags, check_command
from diameter_proxy.diameter.message import Group, Message
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.values import InbandSecurityId

NO_VENDOR: Final = 0
"""Vendor-Id of an implementation without an enterprise number (RFC 6733 §5.3.3)."""

_NAME: Final = d.VENDOR_SPECIFIC_APPLICATION_ID.name
_APPLICATION_IDS: Final = {(avp.code, avp.vendor_id): avp for avp in (d.AUTH_APPLICATION_ID, d.ACCT_APPLICATION_ID)}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The content of a CER or CEA.

    Attributes:
        origin_state_id: the same as long as the node keeps its state (RFC 6733 §8.16); None when not said.
        vendor_specific_applications: pairs of vendor and Auth- or Acct-Application-Id.
        inband_security_ids: empty means NO_INBAND_SECURITY (RFC 6733 §6.10).
    """

    origin_host: str
    origin_realm: str
    host_ip_addresses: tuple[IpAddress, ...] = ()
    vendor_id: int = NO_VENDOR
    product_name: str = ""
    origin_state_id: int | None = None
    supported_vendor_ids: tuple[int, ...] = ()
    auth_application_ids: tuple[int, ...] = ()
    acct_application_ids: tuple[int, ...] = ()
    vendor_specific_applications: tuple[tuple[int, int], ...] = ()
    inband_security_ids: tuple[InbandSecurityId, ...] = ()

    @property
    def application_ids(self) -> frozenset[int]:
        """Every application named, in whichever AVP (RFC 6733 §5.3)."""
        named = (application for _, application in self.vendor_specific_applications)
        return frozenset((*self.auth_application_ids, *self.acct_application_ids, *named))


def encode_capabilities(capabilities: Capabilities) -> list[bytes]:
    """Return the AVPs that follow Origin-Host and Origin-Realm in a CER or CEA (RFC 6733 §5.3.1)."""
    avps = [d.HOST_IP_ADDRESS.encode(address) for address in capabilities.host_ip_addresses]
    avps.append(d.VENDOR_ID.encode(capabilities.vendor_id))
    avps.append(d.PRODUCT_NAME.encode(capabilities.product_name))
    if capabilities.origin_state_id is not None:
        avps.append(d.ORIGIN_STATE_ID.encode(capabilities.origin_state_id))
    avps += [d.SUPPORTED_VENDOR_ID.encode(vendor) for vendor in capabilities.supported_vendor_ids]
    avps += [d.AUTH_APPLICATION_ID.encode(application) for application in capabilities.auth_application_ids]
    avps += [d.INBAND_SECURITY_ID.encode(security) for security in capabilities.inband_security_ids]
    avps += [d.ACCT_APPLICATION_ID.encode(application) for application in capabilities.acct_application_ids]
    for vendor, application in capabilities.vendor_specific_applications:
        inside = d.VENDOR_ID.encode(vendor) + d.AUTH_APPLICATION_ID.encode(application)
        avps.append(d.VENDOR_SPECIFIC_APPLICATION_ID.encode(inside))
    return avps


def decode_capabilities(message: Message) -> Capabilities:
    """Return what a CER or CEA says; Host-IP-Address may be absent, for Kamailio forgets it now and then.

    Raises:
        AnswerableError: the message breaks its grammar, or an AVP its format.
    """
    command = CER if message.header.is_request else CEA
    check_command(message, command, may_lack=(d.HOST_IP_ADDRESS,))
    return Capabilities(
        origin_host=message.require(d.ORIGIN_HOST),
        origin_realm=message.require(d.ORIGIN_REALM),
        host_ip_addresses=tuple(message.all(d.HOST_IP_ADDRESS)),
        vendor_id=message.require(d.VENDOR_ID),
        product_name=message.require(d.PRODUCT_NAME),
        origin_state_id=message.get(d.ORIGIN_STATE_ID),
        supported_vendor_ids=tuple(message.all(d.SUPPORTED_VENDOR_ID)),
        auth_application_ids=tuple(message.all(d.AUTH_APPLICATION_ID)),
        acct_application_ids=tuple(message.all(d.ACCT_APPLICATION_ID)),
        vendor_specific_applications=tuple(
            _vendor_specific(group) for group in message.groups(d.VENDOR_SPECIFIC_APPLICATION_ID)
        ),
        inband_security_ids=tuple(message.all(d.INBAND_SECURITY_ID)),
    )


def check_common(local: Capabilities, remote: Capabilities, *, is_secured: bool) -> None:
    """Return when the two nodes share an application and a security mechanism (RFC 6733 §5.3).

    Args:
        local: ours.
        remote: the peer's.
        is_secured: TLS was there before the CER (RFC 6733 §13.1), so that none is needed inband.

    Raises:
        PermanentFailure: NO_COMMON_APPLICATION (5010) or NO_COMMON_SECURITY (5017).
    """
    ours, theirs = local.application_ids, remote.application_ids
    if not ours & theirs and RELAY not in ours | theirs:
        raise PermanentFailure(
            ResultCode.NO_COMMON_APPLICATION, f"applications {sorted(theirs)}, we have {sorted(ours)}"
        )
    offered = remote.inband_security_ids or (InbandSecurityId.NO_INBAND_SECURITY,)
    if not is_secured and InbandSecurityId.NO_INBAND_SECURITY not in offered:
        raise PermanentFailure(ResultCode.NO_COMMON_SECURITY, "only TLS begun after the CER is offered")


def _vendor_specific(group: Group) -> tuple[int, int]:
    """Read one Vendor-Specific-Application-Id: exactly one of Auth and Acct must be in it (RFC 6733 §6.11).

    Raises:
        PermanentFailure: none is there (5005, with an example of each), or more than one (5009, with those that came).
    """
    check_avp_flags(group)
    named = [span for span in group.spans if (span.code, span.vendor_id) in _APPLICATION_IDS]
    if not named:
        examples = b"".join(avp.example() for avp in _APPLICATION_IDS.values())
        raise PermanentFailure(ResultCode.MISSING_AVP, f"{_NAME} has no application id", examples)
    if len(named) > 1:
        # Two of one kind are what 5009 says of any AVP: the first that is too many (RFC 6733 §7.1.5).
        too_many = named[:2] if named[0].code != named[1].code else named[1:2]
        received = b"".join(group.octets[span.start : span.next] for span in too_many)
        found = f"{_NAME} has {len(named)} application ids"
        raise PermanentFailure(ResultCode.AVP_OCCURS_TOO_MANY_TIMES, found, received)
    (application,) = named
    kind = _APPLICATION_IDS[application.code, application.vendor_id]
    return group.require(d.VENDOR_ID), kind.decode(group.octets[application.value : application.end])
