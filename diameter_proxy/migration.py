"""MAR and MAA of migrated users, in both roles: TS 23.280 (CR) 10.6.2 steps 4 to 9.

Partner: partner identities to primary ones and over CSC-Y; primary: what the HSS knows, and to the HSS.  The answer
goes back with the identities as asked, once both its identities and its vector have been checked.
"""

from typing import Final, NamedTuple

from diameter_proxy.authentication import ONE_ITEM, check_answer, gate_request
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.dictionary import AnyAvpType
from diameter_proxy.diameter.result_codes import ExperimentalResultCode, ResultCode
from diameter_proxy.diameter.wire import RETRANSMITTED, encode_avp
from diameter_proxy.hot_path import (
    DESTINATION_HOST,
    DESTINATION_REALM,
    ORIGIN_HOST,
    ORIGIN_REALM,
    ORIGIN_STATE_ID,
    PROXY_INFO,
    PUBLIC_IDENTITY,
    RESULT_CODE,
    ROUTE_RECORD,
    SERVER_NAME,
    SESSION_ID,
    SIP_AUTH_DATA_ITEM,
    SIP_NUMBER_AUTH_ITEMS,
    SLOTS,
    TGPP,
    USER_NAME,
    Edit,
    Pending,
    avp_at,
    locate,
    splice,
    starts_of,
    value_at,
)
from diameter_proxy.identity_map import IdentityMap, LentSet, canonical
from diameter_proxy.ownership import Claim
from diameter_proxy.routing import Refusal, Route
from diameter_proxy.server_names import ServerNames
from diameter_proxy.topology_hiding import TopologyHiding, needles_of, proxy_infos, without

_NEEDED: Final[tuple[tuple[int, AnyAvpType], ...]] = (
    (SESSION_ID, d.SESSION_ID),
    (ORIGIN_HOST, d.ORIGIN_HOST),
    (ORIGIN_REALM, d.ORIGIN_REALM),
    (DESTINATION_REALM, d.DESTINATION_REALM),
    (USER_NAME, d.USER_NAME),
    (PUBLIC_IDENTITY, d.PUBLIC_IDENTITY),
)
_MAY_REPEAT: Final = (ROUTE_RECORD, PROXY_INFO)
_UNMAPPED: Final = Refusal(
    "identity of the set has no counterpart", experimental=ExperimentalResultCode.ERROR_USER_UNKNOWN
)
WITHDRAWN: Final = Refusal(
    "binding withdrawn while pending", experimental=ExperimentalResultCode.ERROR_USER_UNKNOWN, step="10.6.2-9"
)


class Outgoing(NamedTuple):
    """A request as it leaves, and the identities in it."""

    octets: bytes
    identities: tuple[bytes, bytes]


class Returning(NamedTuple):
    """An answer as it goes back, and whether it holds a vector."""

    octets: bytes
    is_success: bool


class Migration:
    """Makes the requests and the answers of the migration legs."""

    def __init__(self, hiding: TopologyHiding, server_names: ServerNames, *, as_default: bool) -> None:
        """Take our names; ``as_default`` maps every set to the ISIM's set toward the HSS."""
        self._hiding: Final = hiding
        self._server_names: Final = server_names
        self.as_default = as_default

    def request_to_partner(
        self, asked: bytes, found: list[int], claim: Claim, destination_realm: str
    ) -> Refusal | Outgoing:
        """Return the MAR for CSC-Y (10.6.2 step 5): the primary set, none of our inside."""
        lent, gate = self._gate(asked, found, claim)
        if isinstance(gate, Refusal):
            return gate._replace(step="10.6.2-4")
        identities = _counterparts(lent, claim)
        if identities is None:
            return _UNMAPPED
        edits = gate + self._hiding.request_edits(asked, found, destination_realm) + _mapped(found, identities)
        octets = splice(asked, asked[4], 0, edits, _missing_number(found))
        return Outgoing(without(octets, needles_of(lent.identities, but=lent.counterpart)), identities)

    def request_to_hss(self, asked: bytes, found: list[int], claim: Claim, route_record: bytes) -> Refusal | Outgoing:
        """Return the MAR for the HSS (10.6.2 step 6): the set that it knows, a Server-Name of this core."""
        lent, gate = self._gate(asked, found, claim)
        if isinstance(gate, Refusal):
            return gate._replace(step="10.6.2-6")
        edits = gate + self._hiding.origin_edits(asked, found)
        edits += [(found[slot], b"") for slot in (DESTINATION_HOST, ORIGIN_STATE_ID) if found[slot]]
        assert claim.user_name is not None
        identities = (claim.user_name, claim.public_identities[0])
        if self.maps_to_default(lent):
            known = _counterparts(lent, claim)
            if known is None:
                return _UNMAPPED._replace(step="10.6.2-6")
            identities = known
            edits += _mapped(found, known)
        appended = _missing_number(found)
        server_name = self._server_names.of((identities[0], lent.counterpart[0]))
        if found[SERVER_NAME]:
            edits.append((found[SERVER_NAME], server_name))
        else:
            appended += server_name
        return Outgoing(splice(asked, asked[4], 0, edits, appended + route_record), identities)

    def maps_to_default(self, lent: LentSet) -> bool:
        """Say whether the HSS is asked for the default set in place of this one."""
        return self.as_default or not lent.provisioned

    def answer(self, pending: Pending, data: bytes, identities: IdentityMap, now_s: float) -> Refusal | Returning:
        """Return the MAA as it goes back (10.6.2 steps 8 and 10), or why it does not.

        Raises:
            Unreadable: its AVPs cannot be walked.
        """
        found, lent = locate(data), pending.lent
        assert lent is not None
        step = "10.6.2-9" if pending.route is Route.PARTNER else "10.6.2-7"
        edits = self._hiding.answer_edits(data, found)
        is_success = _is_success(data, found)
        if is_success:
            refusal = _faults(data, found, pending, step)
            if refusal is None and not identities.is_current(lent, now_s):
                refusal = WITHDRAWN._replace(step=step)
            checked = refusal if refusal is not None else check_answer(data, found)
            if isinstance(checked, Refusal):
                return checked._replace(step=step)
            edits += checked
        else:
            edits += [(found[i + 1], b"") for i in range(SLOTS, len(found), 2) if found[i] in _AS_ASKED]
            edits += [(start, b"") for start in starts_of(found, SIP_AUTH_DATA_ITEM)]
        return Returning(self._as_asked(pending, data, found, edits, lent), is_success)

    def _as_asked(self, pending: Pending, data: bytes, found: list[int], edits: list[Edit], lent: LentSet) -> bytes:
        asked, places = pending.asked, pending.found
        appended = b""
        for slot in (USER_NAME, PUBLIC_IDENTITY):
            avp = avp_at(asked, places[slot])
            if found[slot]:
                edits.append((found[slot], avp))
            else:
                appended += avp
        session_id = avp_at(asked, places[SESSION_ID])
        if found[SESSION_ID]:
            edits.append((found[SESSION_ID], session_id))
        hop_by_hop = int.from_bytes(asked[12:16], "big")
        flags = data[4] & ~RETRANSMITTED
        octets = splice(data, flags, hop_by_hop, edits, appended + proxy_infos(asked, places))
        if not found[SESSION_ID]:
            octets = splice(octets, flags, hop_by_hop, [(20, session_id + avp_at(octets, 20))])
        return without(octets, needles_of(lent.counterpart, but=lent.identities))

    def _gate(self, asked: bytes, found: list[int], claim: Claim) -> tuple[LentSet, Refusal | list[Edit]]:
        assert claim.lent is not None
        for slot, avp in _NEEDED:
            if not found[slot]:
                reason = f"{avp.name} is missing"
                return claim.lent, Refusal(reason, result_code=ResultCode.MISSING_AVP, failed_avp=avp.example())
        for index in range(SLOTS, len(found), 2):
            if found[index] not in _MAY_REPEAT:
                return claim.lent, Refusal(
                    "AVP stands twice",
                    result_code=ResultCode.AVP_OCCURS_TOO_MANY_TIMES,
                    failed_avp=avp_at(asked, found[index + 1]),
                )
        return claim.lent, gate_request(asked, found)


_AS_ASKED: Final = (SESSION_ID, ORIGIN_HOST, ORIGIN_REALM, USER_NAME, PUBLIC_IDENTITY)


def _counterparts(lent: LentSet, claim: Claim) -> tuple[bytes, bytes] | None:
    assert claim.user_name is not None
    if claim.user_name != lent.identities[0]:
        return None
    private = lent.counterpart_of(claim.user_name)
    public = lent.counterpart_of(claim.public_identities[0])
    return None if private is None or public is None else (private, public)


def _mapped(found: list[int], identities: tuple[bytes, bytes]) -> list[Edit]:
    private, public = identities
    return [
        (found[USER_NAME], encode_avp(d.USER_NAME.code, private)),
        (found[PUBLIC_IDENTITY], encode_avp(d.PUBLIC_IDENTITY.code, public, TGPP)),
    ]


def _missing_number(found: list[int]) -> bytes:
    return b"" if found[SIP_NUMBER_AUTH_ITEMS] else ONE_ITEM


def _is_success(data: bytes, found: list[int]) -> bool:
    start = found[RESULT_CODE]
    return bool(start) and 2000 <= int.from_bytes(value_at(data, start), "big") < 3000


def _faults(data: bytes, found: list[int], pending: Pending, step: str) -> Refusal | None:
    """Return why a successful MAA is not for this request: its identities are not, once each, those sent."""
    for slot, sent in zip((USER_NAME, PUBLIC_IDENTITY), pending.identities, strict=True):
        if [canonical(value_at(data, start)) for start in starts_of(found, slot)] != [sent]:
            return Refusal(
                "identities of the answer are not those sent", result_code=ResultCode.UNABLE_TO_COMPLY, step=step
            )
    return None
