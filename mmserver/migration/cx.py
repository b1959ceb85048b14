"""The MMS as SIP database of the identities that it lends to inbound users (TS 23.280 CR, 7.4.2.2.X NOTE 2).

UAR, SAR and LIR of TS 29.228 §6.1; MAR never comes here, the Diameter proxy takes it to the primary system.  Octets
in, octets out: the node is somebody else's.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import structlog

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, LIR, SAR, UAR
from diameter_proxy.diameter.errors import AnswerableError, FramingLost, PermanentFailure
from diameter_proxy.diameter.grammar import check_avp_flags
from diameter_proxy.diameter.message import Message, encode_answer, encode_failure
from diameter_proxy.diameter.result_codes import ExperimentalResultCode as Experimental
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.values import ServerAssignmentType as Assignment
from diameter_proxy.diameter.values import UserAuthorizationType as Authorization
from mmserver.identity import InvalidIdentity, parse_impi, parse_impu
from mmserver.messages import Role
from mmserver.migration.agreements import Agreements
from mmserver.migration.bindings import SERVED, IdentityBinding, Registration, deregister, register
from mmserver.migration.config import MmsConfig
from mmserver.migration.errors import StoreUnavailable
from mmserver.migration.server import Clock
from mmserver.migration.store import BindingStore, Change, Transaction
from mmserver.migration.user_data import user_data

REGISTRATIONS: Final = frozenset({Assignment.REGISTRATION, Assignment.RE_REGISTRATION})
DEREGISTRATIONS: Final = frozenset(
    {
        Assignment.TIMEOUT_DEREGISTRATION,
        Assignment.USER_DEREGISTRATION,
        Assignment.ADMINISTRATIVE_DEREGISTRATION,
        Assignment.AUTHENTICATION_FAILURE,
        Assignment.AUTHENTICATION_TIMEOUT,
        Assignment.DEREGISTRATION_TOO_MUCH_DATA,
    }
)
STORE_SERVER_NAME: Final = frozenset(
    {Assignment.TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME, Assignment.USER_DEREGISTRATION_STORE_SERVER_NAME}
)

log = structlog.get_logger()


class CxRefusal(Exception):
    """An Experimental-Result of vendor 3GPP other than success is due."""

    def __init__(self, code: Experimental) -> None:
        super().__init__(code.name)
        self.code = code


class CxServer:
    """Answers Cx requests about lent identities."""

    def __init__(
        self, config: MmsConfig, store: BindingStore, *, clock: Clock, agreements: Agreements | None = None
    ) -> None:
        self._host = config.diameter.origin_host
        self._realm = config.diameter.origin_realm
        self._servers = config.diameter.scscf
        self._registration_s = config.lifetime.registration_s
        self._agreements = agreements or Agreements(config.partners)
        self._store = store
        self._clock = clock

    async def answer(self, octets: bytes) -> bytes | None:
        """Return the answer to a request; None when it has no readable header to answer."""
        try:
            request = Message.decode(octets)
            return await self._answer(request)
        except FramingLost:
            return None
        except AnswerableError as exc:
            log.warning("request.refused", code=int(exc.code), reason=str(exc))
            return encode_failure(octets, exc, origin_host=self._host, origin_realm=self._realm)
        except StoreUnavailable as exc:
            log.error("store.unavailable", reason=str(exc))
            return self.busy(octets)
        except Exception:  # one request is a boundary (ARCHITECTURE.md): answer, log once, go on
            log.exception("request.failed")
            return self._result(octets, ResultCode.UNABLE_TO_COMPLY)

    def busy(self, octets: bytes) -> bytes:
        """Return TOO_BUSY (3004, with E): the proxy may try another."""
        return self._result(octets, ResultCode.TOO_BUSY)

    async def _answer(self, request: Message) -> bytes:
        if request.header.application_id != CX:
            return self._result(request, ResultCode.APPLICATION_UNSUPPORTED)
        check_avp_flags(request)
        destination = request.get(d.DESTINATION_HOST)
        if destination is not None and destination.lower() != self._host:
            return self._result(request, ResultCode.UNABLE_TO_DELIVER)
        procedures = {UAR.code: self._user_authorization, SAR.code: self._server_assignment, LIR.code: self._location}
        procedure = procedures.get(request.header.command_code)
        if procedure is None:
            return self._result(request, ResultCode.COMMAND_UNSUPPORTED)
        try:
            return await procedure(request)
        except CxRefusal as exc:
            log.info("cx.refused", command=request.header.command_code, experimental=int(exc.code))
            return self._experimental(request, exc.code)

    async def _user_authorization(self, request: Message) -> bytes:
        """User registration status query (TS 29.228 §6.1.1)."""
        impi, impu = request.require(d.USER_NAME), request.require(d.PUBLIC_IDENTITY)
        request.require(d.VISITED_NETWORK_IDENTIFIER)
        kind = request.get(d.USER_AUTHORIZATION_TYPE) or Authorization.REGISTRATION
        now = self._clock()
        binding = await _resolve(self._store, impi, [impu])
        server = binding.registration.server_name if binding.registration and binding.is_registered(now) else None
        if kind is Authorization.DE_REGISTRATION:
            if server is None:
                raise CxRefusal(_reason_not_served(binding, now) or Experimental.ERROR_IDENTITY_NOT_REGISTERED)
            return self._result(request, ResultCode.SUCCESS, [d.SERVER_NAME.encode(server)])
        _require_served(binding, now)
        if kind is Authorization.REGISTRATION_AND_CAPABILITIES:
            return self._result(request, ResultCode.SUCCESS, [_capabilities(self._servers)])
        if server is None:
            chosen = [_capabilities([self._server_of(binding)])]
            return self._experimental(request, Experimental.FIRST_REGISTRATION, chosen)
        return self._experimental(request, Experimental.SUBSEQUENT_REGISTRATION, [d.SERVER_NAME.encode(server)])

    async def _server_assignment(self, request: Message) -> bytes:
        """S-CSCF registration and de-registration (TS 29.228 §6.1.2)."""
        server = request.require(d.SERVER_NAME)
        kind = request.require(d.SERVER_ASSIGNMENT_TYPE)
        request.require(d.USER_DATA_ALREADY_AVAILABLE)
        impi, impus = request.get(d.USER_NAME), request.all(d.PUBLIC_IDENTITY)
        if impi is None and not impus:
            raise PermanentFailure(
                ResultCode.MISSING_AVP, "neither User-Name nor Public-Identity", d.USER_NAME.example()
            )
        if kind in REGISTRATIONS:
            return await self._register(request, impi, impus, server)
        if kind in DEREGISTRATIONS or kind in STORE_SERVER_NAME:
            return await self._deregister(request, impi, impus, server, kind)
        if kind is Assignment.NO_ASSIGNMENT:
            return await self._profile(request, impi, impus, server)
        raise CxRefusal(Experimental.ERROR_IN_ASSIGNMENT_TYPE)

    async def _register(self, request: Message, impi: str | None, impus: list[str], server: str) -> bytes:
        now = self._clock()
        origin_host, origin_realm = request.require(d.ORIGIN_HOST), request.require(d.ORIGIN_REALM)
        asked = Registration(server, origin_host, origin_realm, now + self._registration_s)
        known = await _resolve(self._store, impi, impus)
        binding = None
        if _only_renews(known, register(known, asked), now):
            _require_served(known, now)

            async def ordinarily(transaction: Transaction) -> IdentityBinding | None:
                return await _store_registration(transaction, impi, impus, asked, now, is_renewal=True)

            change = Change("registration.stored", asked.origin_host, now)
            binding = await self._store.renew(known, asked.until, change, ordinarily)
        if binding is None:
            async with self._store.writing() as transaction:
                binding = await _store_registration(transaction, impi, impus, asked, now, is_renewal=False)
            assert binding is not None
        log.info("registration.stored", binding=binding.handle, scscf=origin_host)
        return self._with_profile(request, binding)

    async def _deregister(
        self, request: Message, impi: str | None, impus: list[str], server: str, kind: Assignment
    ) -> bytes:
        now = self._clock()
        async with self._store.writing() as transaction:
            old = await _resolve(transaction, impi, impus)
            if old.registration is not None and old.registration.server_name != server:
                return self._result(request, ResultCode.UNABLE_TO_COMPLY)
            if old.registration is not None:
                actor = request.require(d.ORIGIN_HOST)
                change = Change("registration.cleared", actor, now, kind.name.lower())
                await transaction.save(old, deregister(old), change)
                log.info("registration.cleared", binding=old.handle, kind=kind.name)
        if kind in STORE_SERVER_NAME:
            return self._experimental(request, Experimental.SUCCESS_SERVER_NAME_NOT_STORED)
        return self._result(request, ResultCode.SUCCESS, [d.USER_NAME.encode(old.identities.private_user_identity)])

    async def _profile(self, request: Message, impi: str | None, impus: list[str], server: str) -> bytes:
        now = self._clock()
        binding = await _resolve(self._store, impi, impus)
        _require_served(binding, now)
        if not (binding.registration and binding.is_registered(now) and binding.registration.server_name == server):
            return self._result(request, ResultCode.UNABLE_TO_COMPLY)
        return self._with_profile(request, binding)

    async def _location(self, request: Message) -> bytes:
        """User location query (TS 29.228 §6.1.4)."""
        impu = request.require(d.PUBLIC_IDENTITY)
        kind = request.get(d.USER_AUTHORIZATION_TYPE)
        now = self._clock()
        binding = await _resolve(self._store, None, [impu])
        if _reason_not_served(binding, now) is Experimental.ERROR_USER_UNKNOWN:
            raise CxRefusal(Experimental.ERROR_USER_UNKNOWN)
        if kind is Authorization.REGISTRATION_AND_CAPABILITIES:
            return self._result(request, ResultCode.SUCCESS, [_capabilities(self._servers)])
        if binding.registration is None or not binding.is_registered(now) or not binding.enabled:
            raise CxRefusal(Experimental.ERROR_IDENTITY_NOT_REGISTERED)
        return self._result(request, ResultCode.SUCCESS, [d.SERVER_NAME.encode(binding.registration.server_name)])

    def _with_profile(self, request: Message, binding: IdentityBinding) -> bytes:
        agreement = self._agreements.find(binding.other_mc_system)
        document = user_data(binding.identities, () if agreement is None else agreement.criteria_in_force)
        avps = [d.USER_NAME.encode(binding.identities.private_user_identity), d.USER_DATA.encode(document)]
        return self._result(request, ResultCode.SUCCESS, avps)

    def _server_of(self, binding: IdentityBinding) -> str:
        """Return the S-CSCF of a binding: always the same one, and another only when it is taken off the list."""
        return max(self._servers, key=lambda name: hashlib.sha256(f"{binding.handle} {name}".encode()).digest())

    def _result(self, request: Message | bytes, code: ResultCode, avps: Iterable[bytes] = ()) -> bytes:
        return encode_answer(
            request, origin_host=self._host, origin_realm=self._realm, result_code=int(code), avps=avps
        )

    def _experimental(self, request: Message, code: Experimental, avps: Iterable[bytes] = ()) -> bytes:
        return encode_answer(
            request, origin_host=self._host, origin_realm=self._realm, experimental=int(code), avps=avps
        )


async def _store_registration(
    transaction: Transaction,
    impi: str | None,
    impus: list[str],
    asked: Registration,
    now: float,
    *,
    is_renewal: bool,
) -> IdentityBinding | None:
    """Store where a set is registered; None, and nothing stored, when more than a renewal has become of it."""
    old = await _resolve(transaction, impi, impus)
    _require_served(old, now)
    if old.registration and old.is_registered(now) and old.registration.server_name != asked.server_name:
        raise CxRefusal(Experimental.ERROR_IDENTITY_ALREADY_REGISTERED)
    new = register(old, asked)
    if is_renewal and not _only_renews(old, new, now):
        return None
    return await transaction.save(old, new, Change("registration.stored", asked.origin_host, now))


async def _resolve(source: Transaction | BindingStore, impi: str | None, impus: list[str]) -> IdentityBinding:
    """Return the one binding whose set holds all these identities.

    Raises:
        CxRefusal: none of them is lent to an inbound user (5001), or they are not of one set (5002).
    """
    found: list[IdentityBinding | None] = []
    for identity in ([] if impi is None else [_normal(impi)]) + [_normal(impu) for impu in impus]:
        first = found[0] if found else None
        if first is not None and identity in first.identities.public_user_identities:
            found.append(first)  # as almost always: one query has answered for the whole set
            continue
        holders = [] if identity is None else await source.find_by_identity(identity)
        found.append(next((binding for binding in holders if binding.role is Role.PARTNER), None))
    known = [binding for binding in found if binding is not None]
    if not known:
        raise CxRefusal(Experimental.ERROR_USER_UNKNOWN)
    if len(known) != len(found) or len({binding.handle for binding in known}) != 1:
        raise CxRefusal(Experimental.ERROR_IDENTITIES_DONT_MATCH)
    if impi is not None and _normal(impi) != known[0].identities.private_user_identity:
        raise CxRefusal(Experimental.ERROR_IDENTITIES_DONT_MATCH)
    return known[0]


def _normal(identity: str) -> str | None:
    try:
        return parse_impu(identity) if identity.lower().startswith(("sip:", "tel:")) else parse_impi(identity)
    except InvalidIdentity:
        return None


def _reason_not_served(binding: IdentityBinding, now: float) -> Experimental | None:
    if binding.state not in SERVED or now >= binding.valid_until:
        return Experimental.ERROR_USER_UNKNOWN
    if binding.releasing or not binding.enabled:
        return Experimental.ERROR_ROAMING_NOT_ALLOWED
    return None


def _require_served(binding: IdentityBinding, now: float) -> None:
    reason = _reason_not_served(binding, now)
    if reason is not None:
        log.info("binding.refused", binding=binding.handle, state=binding.state.value, enabled=binding.enabled)
        raise CxRefusal(reason)


def _only_renews(old: IdentityBinding, new: IdentityBinding, now: float) -> bool:
    """Say whether the set is registered already, and only until when changes."""
    if old.registration is None or new.registration is None or not old.is_registered(now):
        return False
    return replace(new, registration=replace(new.registration, until=old.registration.until)) == old


def _capabilities(servers: Iterable[str]) -> bytes:
    return d.SERVER_CAPABILITIES.encode(b"".join(d.SERVER_NAME.encode(server) for server in servers))
