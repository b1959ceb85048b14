"""Asking the SIP database whether it knows a set (10.1.X.1 steps 5 and 10: "by interrogating a SIP database").

A UAR for each public identity of the set, of type REGISTRATION_AND_CAPABILITIES: it changes nothing at the HSS, and the
HSS checks the pair (TS 29.228 §6.1.1).  What it does not know could never be registered, so it is not lent.
"""

from collections.abc import Callable
from typing import Final

import structlog

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, TGPP, UAR
from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.result_codes import ExperimentalResultCode as Experimental
from diameter_proxy.diameter.values import AuthSessionState, UserAuthorizationType
from mmserver.identity import SipIdentities
from mmserver.migration.config import DiameterTable, SipDatabaseTable
from mmserver.migration.deregistration import Requester, RequestFailed
from mmserver.migration.errors import SipDatabaseUnreachable

SUCCESS: Final = range(2000, 3000)
NOT_KNOWN: Final = frozenset(
    {
        (TGPP, int(Experimental.ERROR_USER_UNKNOWN)),
        (TGPP, int(Experimental.ERROR_IDENTITIES_DONT_MATCH)),
        (TGPP, int(Experimental.ERROR_ROAMING_NOT_ALLOWED)),
    }
)
"""Experimental 5001, 5002, and 5004: known, but never to be admitted.  5001 and 5002 of RFC 6733 mean other things."""

log = structlog.get_logger()


class SipDatabase:
    """Asks the HSS over Cx."""

    def __init__(
        self,
        config: SipDatabaseTable,
        ours: DiameterTable,
        home_domain: str,
        *,
        request: Requester,
        next_end_to_end: Callable[[], int],
    ) -> None:
        self._config = config
        self._ours = ours
        self._home_domain = home_domain
        self._request = request
        self._next_end_to_end = next_end_to_end

    async def knows(self, identities: SipIdentities) -> bool:
        """Say whether the SIP database knows every pair of the set.

        Raises:
            SipDatabaseUnreachable: it does not answer before the deadline, or not with yes or no.
        """
        for impu in identities.sip_uris:
            result = await self._ask(identities.private_user_identity, impu)
            if result in NOT_KNOWN:
                log.warning("set.unknown", code=result[1])
                return False
            if result[1] not in SUCCESS:
                raise SipDatabaseUnreachable(f"{self._config.host} answered {result[1]}")
        return True

    async def _ask(self, impi: str, impu: str) -> tuple[int, int]:
        end_to_end = self._next_end_to_end()
        host = self._ours.origin_host
        avps = [
            d.SESSION_ID.encode(f"{host};{end_to_end};set"),
            d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
            d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
            d.ORIGIN_HOST.encode(host),
            d.ORIGIN_REALM.encode(self._ours.origin_realm),
            d.DESTINATION_REALM.encode(self._config.realm or self._ours.origin_realm),
            d.USER_NAME.encode(impi),
            d.PUBLIC_IDENTITY.encode(impu),
            d.VISITED_NETWORK_IDENTIFIER.encode(self._home_domain.encode()),
            d.USER_AUTHORIZATION_TYPE.encode(UserAuthorizationType.REGISTRATION_AND_CAPABILITIES),
        ]
        octets = encode_request(UAR, end_to_end=end_to_end, avps=avps)
        try:
            result = Message.decode(await self._request(self._config.host, octets, self._config.deadline_s)).result()
        except (RequestFailed, DiameterError) as exc:
            raise SipDatabaseUnreachable(f"{self._config.host}: {exc}") from exc
        return (0, 0) if result is None else result
