"""The messages of the base protocol that a node makes for itself (RFC 6733 §5.3 to §5.5)."""

import ipaddress
from dataclasses import replace
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.capabilities import Capabilities, check_common, decode_capabilities, encode_capabilities
from diameter_proxy.diameter.commands import CER, DPR, DWR
from diameter_proxy.diameter.dictionary import TGPP
from diameter_proxy.diameter.errors import AnswerableError, DiameterError, FramingLost, PermanentFailure
from diameter_proxy.diameter.message import Message, encode_answer, encode_failure, encode_request
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.values import DisconnectCause, InbandSecurityId
from diameter_proxy.diameter.wire import HEADER_OCTETS, REQUEST, VERSION
from diameter_proxy.node.config import NodeConfig, PeerConfig

_VERSION_LENGTH: Final = (VERSION << 24 | HEADER_OCTETS).to_bytes(4, "big")


class BaseProtocol:
    """Makes CER, CEA, DWR, DWA, DPR, DPA and refusals in one node's name."""

    def __init__(self, config: NodeConfig, origin_state_id: int) -> None:
        vendors = {TGPP, *(vendor for vendor, _ in config.vendor_specific_applications)}
        self.local = Capabilities(
            config.origin_host,
            config.origin_realm,
            product_name=config.product_name,
            origin_state_id=origin_state_id,
            supported_vendor_ids=tuple(sorted(vendors)),
            vendor_specific_applications=config.vendor_specific_applications,
            inband_security_ids=(InbandSecurityId.NO_INBAND_SECURITY,),
        )
        self._origin = d.ORIGIN_HOST.encode(config.origin_host) + d.ORIGIN_REALM.encode(config.origin_realm)
        self._state = d.ORIGIN_STATE_ID.encode(origin_state_id)

    def cer(self, local_address: str, hop_by_hop: int, end_to_end: int) -> bytes:
        """Return a CER (RFC 6733 §5.3.1)."""
        avps = [self._origin, *self._capabilities(local_address)]
        return encode_request(CER, hop_by_hop=hop_by_hop, end_to_end=end_to_end, avps=avps)

    def cea(self, cer: Message, local_address: str) -> bytes:
        """Return the CEA that accepts (RFC 6733 §5.3.2)."""
        return self.answer(cer, ResultCode.SUCCESS, self._capabilities(local_address))

    def cea_refusal(self, cer: Message, error: AnswerableError, local_address: str) -> bytes:
        """Return the CEA that refuses; our capabilities say what would have been common."""
        return encode_answer(
            cer,
            origin_host=self.local.origin_host,
            origin_realm=self.local.origin_realm,
            result_code=error.code,
            avps=[*self._capabilities(local_address), d.ERROR_MESSAGE.encode(str(error))],
            failed_avp=error.failed_avp,
        )

    def dwr(self, hop_by_hop: int, end_to_end: int) -> bytes:
        """Return a DWR (RFC 6733 §5.5.1)."""
        avps = [self._origin, self._state]
        return encode_request(DWR, hop_by_hop=hop_by_hop, end_to_end=end_to_end, avps=avps)

    def dwa(self, dwr: Message) -> bytes:
        """Return the DWA (RFC 6733 §5.5.2)."""
        return self.answer(dwr, ResultCode.SUCCESS, [self._state])

    def dpr(self, cause: DisconnectCause, hop_by_hop: int, end_to_end: int) -> bytes:
        """Return a DPR (RFC 6733 §5.4.1)."""
        avps = [self._origin, d.DISCONNECT_CAUSE.encode(cause)]
        return encode_request(DPR, hop_by_hop=hop_by_hop, end_to_end=end_to_end, avps=avps)

    def dpa(self, dpr: Message | bytes) -> bytes:
        """Return the DPA (RFC 6733 §5.4.2)."""
        return self.answer(dpr, ResultCode.SUCCESS)

    def answer(self, request: Message | bytes, code: ResultCode, avps: list[bytes] | None = None) -> bytes:
        """Return an answer of ours with a Result-Code."""
        local = self.local
        return encode_answer(
            request,
            origin_host=local.origin_host,
            origin_realm=local.origin_realm,
            result_code=code,
            avps=avps or (),
        )

    def failure(self, request: Message | bytes, error: AnswerableError) -> bytes:
        """Return the answer that says what was wrong with a request."""
        local = self.local
        return encode_failure(request, error, origin_host=local.origin_host, origin_realm=local.origin_realm)

    def loss(self, loss: FramingLost) -> bytes | None:
        """Return the answer owed to a request of another version (5011), or None where no answer is owed."""
        if loss.code is None or not loss.header[4] & REQUEST:
            return None
        try:
            return self.answer(_VERSION_LENGTH + loss.header[4:], loss.code)
        except DiameterError as exc:
            raise AssertionError("a header made whole can be answered") from exc

    def check_cea(self, cea: Message, peer: PeerConfig) -> Capabilities:
        """Return what the answer to our CER says of the peer.

        Raises:
            AnswerableError: it is no CEA, refuses us, comes from somebody else, or nothing is common.
        """
        if cea.header.command_code != CER.code or cea.header.is_request:
            raise PermanentFailure(ResultCode.COMMAND_UNSUPPORTED, f"command {cea.header.command_code} instead")
        result, text = cea.require(d.RESULT_CODE), cea.get(d.ERROR_MESSAGE)
        if result != ResultCode.SUCCESS:
            raise PermanentFailure(result, f"Result-Code {result}, {text or 'no word why'}")
        remote = decode_capabilities(cea)
        if remote.origin_host.lower() != peer.host.lower():
            raise PermanentFailure(ResultCode.UNKNOWN_PEER, f"it calls itself {remote.origin_host}")
        if remote.origin_realm.lower() != peer.realm.lower():
            raise PermanentFailure(ResultCode.UNKNOWN_PEER, f"it is of realm {remote.origin_realm}")
        check_common(self.local, remote, is_secured=peer.tls)
        return remote

    def _capabilities(self, local_address: str) -> list[bytes]:
        addresses = (ipaddress.ip_address(local_address.partition("%")[0]),) if local_address else ()
        return encode_capabilities(replace(self.local, host_ip_addresses=addresses))
