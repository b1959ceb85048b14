"""Cx of the HSS: a request's octets in, the answer's octets out (TS 29.228 §6, TS 29.229 §6.1).

One request is one transaction of the state file: its effects are durable when ``answer`` returns. It opens no socket;
RTR, the one request that an HSS sends here, is in ``rtr``.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, LIR, MAR, SAR, UAR
from diameter_proxy.diameter.errors import AnswerableError, PermanentFailure, ProtocolFailure
from diameter_proxy.diameter.message import Group, Message, encode_answer, encode_failure
from diameter_proxy.diameter.result_codes import ExperimentalResultCode, ResultCode
from diameter_proxy.diameter.values import (
    ServerAssignmentType,
    UserAuthorizationType,
    UserDataAlreadyAvailable,
)
from lab.systems.hss.authentication_centre import AuthenticationCentre
from lab.systems.hss.config import Mode
from lab.systems.hss.errors import Refusal, StoreError
from lab.systems.hss.registration import (
    Decision,
    ServingSystem,
    State,
    assign_server,
    authenticate,
    authorize_user,
    locate,
)
from lab.systems.hss.store import Store
from lab.systems.hss.subscribers import Directory, IdentitySet, normal_impu
from lab.systems.hss.user_data import encode_user_data
from ue_agent.aka.aka import AuthenticationVector
from ue_agent.aka.errors import SqnOutOfRange

AKA_SCHEME: Final = "Digest-AKAv1-MD5"
_SCHEMES: Final = frozenset({AKA_SCHEME.lower(), "unknown"})
"""``Unknown`` leaves the choice to the HSS (TS 29.229 §6.3.9)."""

Avps = tuple[bytes, ...]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Node:
    """Our own name on the wire."""

    origin_host: str
    origin_realm: str


@dataclass(slots=True)
class HomeSubscriberServer:
    """Answers Cx requests.

    Attributes:
        mode: changeable while it runs.
        counts: answers by command and code, such as ``MAR 2001``.
    """

    node: Node
    directory: Directory
    store: Store
    centre: AuthenticationCentre
    scscf: tuple[str, ...]
    mode: Mode = Mode.PLAIN
    corrupt_res_for: frozenset[str] = frozenset()
    counts: Counter[str] = field(default_factory=Counter)
    _pairs_of_uar: set[tuple[str, str]] = field(default_factory=set)

    def start(self) -> None:
        """Forget what an HSS of this mode forgets when it restarts."""
        if self.mode is Mode.AFTER_UAR:
            with self.store.transaction():
                self.store.forget_registrations()

    def answer(self, octets: bytes) -> bytes:
        """Return the answer to a request.

        Raises:
            FramingLost: fewer octets than a header has.
        """
        try:
            message = Message.decode(octets)
        except AnswerableError as exc:
            self.counts[f"refused {int(exc.code)}"] += 1
            return encode_failure(octets, exc, origin_host=self.node.origin_host, origin_realm=self.node.origin_realm)
        try:
            return self._answered(message)
        except AnswerableError as exc:
            avps = (*_echoed(message), d.ERROR_MESSAGE.encode(str(exc)))
            return self._encoded(message, "refused", exc.code, None, avps, exc.failed_avp)

    def _answered(self, message: Message) -> bytes:
        header = message.header
        if header.application_id != CX:
            raise ProtocolFailure(ResultCode.APPLICATION_UNSUPPORTED, f"application {header.application_id}, wanted Cx")
        row = _PROCEDURES.get(header.command_code)
        if row is None:
            raise ProtocolFailure(ResultCode.COMMAND_UNSUPPORTED, f"command {header.command_code} is none of ours")
        name, procedure = row
        self._check_destination(message)
        echoed = _echoed(message)
        try:
            with self.store.transaction():
                decision, avps = procedure(self, message)
        except Refusal as exc:
            log.info("request.refused", command=name, code=exc.experimental or exc.result_code, reason=str(exc)[:80])
            return self._encoded(message, name, exc.result_code, exc.experimental, echoed)
        except (SqnOutOfRange, StoreError) as exc:
            self.counts[f"{name} failed"] += 1
            return self._encoded(
                message, name, ResultCode.UNABLE_TO_COMPLY, None, (*echoed, d.ERROR_MESSAGE.encode(str(exc)))
            )
        return self._encoded(message, name, decision.result_code, decision.experimental, (*echoed, *avps))

    def _check_destination(self, message: Message) -> None:
        host, realm = message.get(d.DESTINATION_HOST), message.require(d.DESTINATION_REALM)
        if realm.lower() != self.node.origin_realm:
            raise ProtocolFailure(ResultCode.REALM_NOT_SERVED, f"realm {realm}, wanted {self.node.origin_realm}")
        if host is not None and host.lower() != self.node.origin_host:
            raise ProtocolFailure(ResultCode.UNABLE_TO_DELIVER, f"host {host}, wanted {self.node.origin_host}")

    def _uar(self, message: Message) -> tuple[Decision, Avps]:
        impi, impu = message.require(d.USER_NAME), message.require(d.PUBLIC_IDENTITY)
        network = message.require(d.VISITED_NETWORK_IDENTIFIER).decode("utf-8", "replace")
        kind = message.get(d.USER_AUTHORIZATION_TYPE) or UserAuthorizationType.REGISTRATION
        identities = self.directory.pair(self.mode, impi, impu)
        if kind is not UserAuthorizationType.DE_REGISTRATION:
            _check_admission(identities, network)
        decision = authorize_user(self.store.registration(identities.private_user_identity), kind)
        if normal_impu(impu) in identities.public_user_identities:  # mode no-association takes any
            self._pairs_of_uar.add((identities.private_user_identity, normal_impu(impu)))
        avps: Avps = ()
        if decision.server_name is not None:
            avps = (d.SERVER_NAME.encode(decision.server_name),)
        if decision.with_capabilities:
            names = b"".join(d.SERVER_NAME.encode(name) for name in self.scscf)
            avps += (d.SERVER_CAPABILITIES.encode(names),)
        return decision, avps

    def _mar(self, message: Message) -> tuple[Decision, Avps]:
        impi, impu = message.require(d.USER_NAME), message.require(d.PUBLIC_IDENTITY)
        message.require(d.SIP_NUMBER_AUTH_ITEMS)
        asker, item = _asker(message), _auth_data_item(message)
        identities = self._associated_pair(impi, impu)
        scheme = item.require(d.SIP_AUTHENTICATION_SCHEME)
        if scheme.lower() not in _SCHEMES:
            raise Refusal(f"scheme {scheme}", experimental=ExperimentalResultCode.ERROR_AUTH_SCHEME_NOT_SUPPORTED)
        sip_authorization = item.get(d.SIP_AUTHORIZATION)
        now = self.store.registration(identities.private_user_identity)
        decision = authenticate(now, asker, resynchronisation=sip_authorization is not None)
        if sip_authorization is not None:
            self.centre.resynchronise(identities, sip_authorization)
        vector = self.centre.vector(identities, asker)
        self.store.put_registration(identities.private_user_identity, decision.registration)
        is_corrupt = identities.private_user_identity in self.corrupt_res_for
        return decision, (d.SIP_NUMBER_AUTH_ITEMS.encode(1), _encoded_vector(vector, is_corrupt=is_corrupt))

    def _sar(self, message: Message) -> tuple[Decision, Avps]:
        kind, impi = message.require(d.SERVER_ASSIGNMENT_TYPE), message.get(d.USER_NAME)
        asker, impus = _asker(message), message.all(d.PUBLIC_IDENTITY)
        available = message.require(d.USER_DATA_ALREADY_AVAILABLE)
        identities = self._assigned_set(kind, asker, impi, impus)
        decision = assign_server(
            self.store.registration(identities.private_user_identity),
            asker,
            kind,
            user_data_available=available is UserDataAlreadyAvailable.USER_DATA_ALREADY_AVAILABLE,
        )
        self.store.put_registration(identities.private_user_identity, decision.registration)
        avps: Avps = (d.USER_NAME.encode(identities.private_user_identity if impi is None else impi),)
        if decision.with_user_data:
            avps += (d.USER_DATA.encode(encode_user_data(identities)),)
        return decision, avps

    def _lir(self, message: Message) -> tuple[Decision, Avps]:
        rows = self.directory.by_impu(self.mode, message.require(d.PUBLIC_IDENTITY))
        registrations = [self.store.registration(row.private_user_identity) for row in rows]
        # Several UEs may share the identity: one that is registered answers for it.
        registrations.sort(key=lambda registration: registration.state is State.NOT_REGISTERED)
        decision = locate(registrations[0])
        assert decision.server_name is not None
        return decision, (d.SERVER_NAME.encode(decision.server_name),)

    def _associated_pair(self, impi: str, impu: str) -> IdentitySet:
        identities = self.directory.pair(self.mode, impi, impu)
        pair = (identities.private_user_identity, normal_impu(impu))
        if self.mode is Mode.AFTER_UAR and pair not in self._pairs_of_uar:
            raise Refusal("no UAR before", experimental=ExperimentalResultCode.ERROR_IDENTITIES_DONT_MATCH)
        return identities

    def _assigned_set(
        self, kind: ServerAssignmentType, asker: ServingSystem, impi: str | None, impus: list[str]
    ) -> IdentitySet:
        """Return the set that a SAR names: by both identities, or by one where the type allows (TS 29.228 §6.1.2)."""
        if not impus:
            if impi is None or kind not in _WITHOUT_PUBLIC_IDENTITY:
                example = d.PUBLIC_IDENTITY.example()
                raise PermanentFailure(ResultCode.MISSING_AVP, "Public-Identity is missing", example)
            return self.directory.by_impi(self.mode, impi)
        if len(impus) > 1 and kind not in _WITHOUT_PUBLIC_IDENTITY:
            second = d.PUBLIC_IDENTITY.encode(impus[1])
            raise PermanentFailure(ResultCode.AVP_OCCURS_TOO_MANY_TIMES, "more than one Public-Identity", second)
        if impi is not None:
            rows = tuple(self._associated_pair(impi, impu) for impu in impus)
            return rows[0]
        rows = self.directory.by_impu(self.mode, impus[0])
        serving = [row for row in rows if self._server_name(row) == asker.server_name]
        return (serving or list(rows))[0]

    def _server_name(self, identities: IdentitySet) -> str | None:
        return self.store.registration(identities.private_user_identity).server_name

    def _encoded(
        self,
        message: Message,
        name: str,
        result_code: int | None,
        experimental: int | None,
        avps: Iterable[bytes],
        failed_avp: bytes = b"",
    ) -> bytes:
        self.counts[f"{name} {int(result_code or experimental or 0)}"] += 1
        return encode_answer(
            message,
            origin_host=self.node.origin_host,
            origin_realm=self.node.origin_realm,
            result_code=result_code,
            experimental=experimental,
            avps=avps,
            failed_avp=failed_avp,
        )


_T = ServerAssignmentType
_WITHOUT_PUBLIC_IDENTITY: Final = frozenset(
    {
        _T.TIMEOUT_DEREGISTRATION,
        _T.USER_DEREGISTRATION,
        _T.TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME,
        _T.USER_DEREGISTRATION_STORE_SERVER_NAME,
        _T.ADMINISTRATIVE_DEREGISTRATION,
        _T.DEREGISTRATION_TOO_MUCH_DATA,
    }
)
"""De-registrations: they may name the private identity alone, or several public ones (TS 29.228 §6.1.2)."""

_PROCEDURES: Final[dict[int, tuple[str, Callable[[HomeSubscriberServer, Message], tuple[Decision, Avps]]]]] = {
    UAR.code: ("UAR", HomeSubscriberServer._uar),
    MAR.code: ("MAR", HomeSubscriberServer._mar),
    SAR.code: ("SAR", HomeSubscriberServer._sar),
    LIR.code: ("LIR", HomeSubscriberServer._lir),
}


def _check_admission(identities: IdentitySet, visited_network: str) -> None:
    subscriber = identities.subscriber
    if subscriber.barred:
        raise Refusal("barred", result_code=ResultCode.AUTHORIZATION_REJECTED)
    if subscriber.visited_networks is not None and visited_network not in subscriber.visited_networks:
        raise Refusal("roaming", experimental=ExperimentalResultCode.ERROR_ROAMING_NOT_ALLOWED)


def _asker(message: Message) -> ServingSystem:
    return ServingSystem(
        message.require(d.SERVER_NAME), message.require(d.ORIGIN_HOST), message.require(d.ORIGIN_REALM)
    )


def _auth_data_item(message: Message) -> Group:
    message.require(d.SIP_AUTH_DATA_ITEM)
    item = message.group(d.SIP_AUTH_DATA_ITEM)
    assert item is not None
    return item


def _encoded_vector(vector: AuthenticationVector, *, is_corrupt: bool) -> bytes:
    xres = bytes(octet ^ 0xFF for octet in vector.xres) if is_corrupt else vector.xres
    return d.SIP_AUTH_DATA_ITEM.encode(
        d.SIP_ITEM_NUMBER.encode(1)
        + d.SIP_AUTHENTICATION_SCHEME.encode(AKA_SCHEME)
        + d.SIP_AUTHENTICATE.encode(vector.rand + vector.autn)
        + d.SIP_AUTHORIZATION.encode(xres)
        + d.CONFIDENTIALITY_KEY.encode(vector.ck)
        + d.INTEGRITY_KEY.encode(vector.ik)
    )


def _echoed(message: Message) -> Avps:
    """Return User-Name and Public-Identity of a MAR as asked: without them Kamailio hides why it was refused."""
    if message.header.command_code != MAR.code:
        return ()
    spans = {(span.code, span.vendor_id): span for span in reversed(message.spans)}
    found = [spans.get((avp.code, avp.vendor_id)) for avp in (d.USER_NAME, d.PUBLIC_IDENTITY)]
    return tuple(message.octets[span.start : span.next] for span in found if span is not None)
