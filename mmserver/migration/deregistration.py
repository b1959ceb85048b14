"""Network-initiated de-registration of a lent set: RTR to the S-CSCF that registered it (TS 29.228 §6.1.3).

Kamailio answers only an RTR with Public-Identity AVPs that it knows, so the whole set is named.  The request goes to
the stored Origin-Host through one of our own proxies, another one at each try.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, RTR, TGPP
from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.values import AuthSessionState, ReasonCode
from mmserver.migration.bindings import IdentityBinding, Registration
from mmserver.migration.config import DiameterTable

SUCCESS: Final = range(2000, 3000)
MARGIN_S: Final = 1.0

log = structlog.get_logger()


class RequestFailed(Exception):
    """No answer came: the peer is not open, was lost, or stayed silent until the deadline."""


class Requester(Protocol):
    """Sends a request to a peer and waits for its answer."""

    async def __call__(self, peer: str, octets: bytes, deadline_s: float) -> bytes:
        """Return the answer.

        Raises:
            RequestFailed: none came.
        """


class Deregistration:
    """Sends RTRs; one call is one set, with its tries."""

    def __init__(
        self,
        config: DiameterTable,
        *,
        request: Requester,
        open_peers: Callable[[], tuple[str, ...]],
        next_end_to_end: Callable[[], int],
    ) -> None:
        self._config = config
        self._request = request
        self._open_peers = open_peers
        self.next_end_to_end: Final = next_end_to_end

    @property
    def longest_s(self) -> float:
        """How long all tries of one RTR take at most, and a little more."""
        return self._config.rtr_tries * self._config.rtr_deadline_s + MARGIN_S

    async def __call__(self, binding: IdentityBinding, end_to_end: int, *, retransmitted: bool) -> bool:
        """Send the RTR until an RTA comes; return whether one confirmed it."""
        assert binding.registration is not None, "only a registered set is de-registered"
        loop = asyncio.get_running_loop()
        for attempt in range(self._config.rtr_tries):
            peers = self._open_peers() or self._config.peers
            peer = peers[attempt % len(peers)]
            octets = self._encode(binding, binding.registration, end_to_end, retransmitted=retransmitted or attempt > 0)
            next_try = loop.time() + self._config.rtr_deadline_s
            try:
                code = _result_of(await self._request(peer, octets, self._config.rtr_deadline_s))
            except (RequestFailed, DiameterError) as exc:
                log.warning("rtr.unanswered", binding=binding.handle, peer=peer, reason=str(exc))
                if attempt + 1 < self._config.rtr_tries:
                    await asyncio.sleep(next_try - loop.time())  # a lost peer fails at once and may come back
                continue
            log.info("rtr.answered", binding=binding.handle, peer=peer, code=code)
            if code in SUCCESS:
                return True
        return False

    def _encode(
        self, binding: IdentityBinding, registration: Registration, end_to_end: int, *, retransmitted: bool
    ) -> bytes:
        host, realm = self._config.origin_host, self._config.origin_realm
        application = d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)
        identities = binding.identities
        avps = [
            d.SESSION_ID.encode(f"{host};{end_to_end};{binding.handle}"),
            d.VENDOR_SPECIFIC_APPLICATION_ID.encode(application),
            d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
            d.ORIGIN_HOST.encode(host),
            d.ORIGIN_REALM.encode(realm),
            d.DESTINATION_HOST.encode(registration.origin_host),
            d.DESTINATION_REALM.encode(registration.origin_realm),
            d.USER_NAME.encode(identities.private_user_identity),
            *(d.PUBLIC_IDENTITY.encode(impu) for impu in identities.public_user_identities),
            d.DEREGISTRATION_REASON.encode(d.REASON_CODE.encode(ReasonCode.PERMANENT_TERMINATION)),
        ]
        return encode_request(RTR, end_to_end=end_to_end, avps=avps, retransmitted=retransmitted)


def _result_of(answer: bytes) -> int:
    result = Message.decode(answer).result()
    return 0 if result is None else result[1]
