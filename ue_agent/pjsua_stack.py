"""The SIP stack of one registration: pjsua2 behind a few plain methods and events (TS 24.229 §5.1.1).

With ``pjsua_call`` the only module that speaks to pjsua2.  It runs in a process of its own (``stack_child``),
started anew and never forked, because pjsua2 allows one Endpoint a process and answers misuse with an abort.  Rules
that it holds:

- one thread, the one that made the Stack, makes all calls; pjsua2's own thread runs the callbacks;
- a callback turns what it got into an immutable event, hands it to ``push`` and returns; it never raises;
- ``onCredAuth`` asks the ISIM over a pipe and must have the answer before it returns;
- ``stop`` is called before the process leaves, whatever happened.

It knows neither K nor RES: the ISIM's owner computes the digest (``challenge``).
"""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pjsua2 as pj

from ue_agent.aka_hook import PJ_EUNKNOWN, PJ_SUCCESS, install
from ue_agent.challenge import Answer, DigestQuestion
from ue_agent.errors import StackError
from ue_agent.pjsua_call import CallEvent, Calls, MediaCounted, choose_codecs
from ue_agent.register_body import RegisterBody
from ue_agent.sip_headers import address_of, associated_uris
from ue_agent.stack_settings import StackSettings

PJSIP_EBUSY: Final = 171001
USER_AGENT: Final = "mc-migration ue-agent"


@dataclass(frozen=True, slots=True)
class RegistrationChanged:
    """REGISTER was answered finally, or a registration was given up; ``expires_s`` 0 means not registered."""

    status: int
    reason: str
    expires_s: int
    public_user_identities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A MESSAGE came in and was answered 200."""

    sender: str
    content_type: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageSent:
    """Our MESSAGE was answered finally."""

    status: int
    reason: str


StackEvent = RegistrationChanged | MessageReceived | MessageSent | CallEvent


class Stack:
    """One Endpoint, one transport, one Account."""

    def __init__(
        self,
        settings: StackSettings,
        ask: Callable[[DigestQuestion], Answer],
        push: Callable[[StackEvent], None],
    ) -> None:
        """Prepare; nothing of pjsua2 is made before ``start``.

        Args:
            settings: the registration.
            ask: answers a digest challenge; called on pjsua2's thread, may raise OSError or ValueError.
            push: takes an event; called on pjsua2's thread, must not block.
        """
        self._settings = settings
        self._push = push
        self._endpoint = _Endpoint(ask)
        self._account: _Account | None = None
        self._account_config: Any = None
        self._buddy: Any = None
        self._calls = Calls(push)
        self._body: RegisterBody | None = None
        self._created = False

    def start(self) -> int:
        """Start pjsua2 and bind the transport; return its port.

        Raises:
            HookError: this pjsua2 cannot do AKA.
            StackError: the address or port cannot be bound, or pjsua2 refuses the settings.
        """
        install()
        try:
            with _quiet_standard_output():
                self._endpoint.libCreate()
                self._created = True
                self._endpoint.libInit(_endpoint_config())
            transport = self._bind()
            self._endpoint.libStart()
            self._endpoint.audDevManager().setNullDev()
            choose_codecs(self._endpoint)
            self._account = _Account(self._endpoint, self._calls, self._push)
            self._account_config = _account_config(self._settings, transport)
            self._account.create(self._account_config)
            return _port_of(self._endpoint.transportGetInfo(transport).localAddress)
        except pj.Error as exc:
            raise StackError(f"the SIP stack cannot start at {self._settings.local_address}: {exc.reason}") from exc

    def register(self, content_type: str = "", body: str = "") -> None:
        """Send REGISTER; its end is a RegistrationChanged.

        A body, once given, is in every REGISTER of this registration (TS 24.379 §7.2.1).

        Raises:
            HookError: this pjsua2 cannot send one.
            StackError: it cannot be sent.
        """
        if body:
            self._carry(content_type, body.encode())
        self._set_registration(True)

    def settle(self) -> None:
        """Note that the first 200 has come: requests from here on carry no empty Authorization."""
        if self._account is not None and self._account_config.sipConfig.authInitialEmpty:
            self._account_config.sipConfig.authInitialEmpty = False
            self._account_config.regConfig.disableRegOnModify = True
            self._account.modify(self._account_config)

    def deregister(self) -> None:
        """Send REGISTER with Expires 0; its end is a RegistrationChanged."""
        if self._body is not None:
            self._body.clear()
        self._set_registration(False)

    def send_message(self, to: str, text: str) -> None:
        """Send a MESSAGE; its end is a MessageSent.

        Raises:
            StackError: ``to`` is not a URI that pjsua2 can use.
        """
        config = pj.BuddyConfig()
        config.uri, config.subscribe = to, False
        parameters = pj.SendInstantMessageParam()
        parameters.contentType, parameters.content = "text/plain", text
        try:
            self._buddy = pj.Buddy()  # kept until the next one: pjsua2 answers through it
            self._buddy.create(self._account, config)
            self._buddy.sendInstantMessage(parameters)
        except pj.Error as exc:
            raise StackError(f"MESSAGE cannot be sent: {exc.reason}") from exc

    def call(self, to: str) -> None:
        """Send INVITE; its end is a CallAnswered or a CallEnded.

        Raises:
            StackError: there is a call already, or ``to`` cannot be called.
        """
        self._calls.make(self._account, to)

    def answer(self, status: int) -> None:
        """Answer the call that rings; its end is a CallAnswered or a CallEnded.

        Raises:
            StackError: none rings.
        """
        self._calls.answer(status)

    def hang_up(self) -> None:
        """End the call; its end is a CallEnded.

        Raises:
            StackError: there is none.
        """
        self._calls.hang_up()

    def count_media(self) -> MediaCounted:
        """Return the RTP packets of the call so far.

        Raises:
            StackError: there is none.
        """
        return self._calls.count()

    def play(self) -> None:
        """Give the call that has a media stream now its tone."""
        self._calls.play()

    def stop(self) -> None:
        """End pjsua2: a call is hung up, a registration lapses by itself (no de-registration)."""
        if self._created:
            self._created = False
            self._calls.forget()
            self._endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)
        self._buddy = self._account = None

    def _carry(self, content_type: str, octets: bytes) -> None:
        if self._body is None:
            body = RegisterBody()
            body.install()
            self._body = body
        try:
            self._body.set(content_type, octets)
        except ValueError as exc:
            raise StackError(str(exc)) from exc

    def _bind(self) -> int:
        six, tcp = ":" in self._settings.local_address, self._settings.transport == "tcp"
        kinds = {
            (False, False): pj.PJSIP_TRANSPORT_UDP,
            (False, True): pj.PJSIP_TRANSPORT_TCP,
            (True, False): pj.PJSIP_TRANSPORT_UDP6,
            (True, True): pj.PJSIP_TRANSPORT_TCP6,
        }
        config = pj.TransportConfig()
        config.boundAddress, config.port = self._settings.local_address, self._settings.local_port
        return int(self._endpoint.transportCreate(kinds[six, tcp], config))

    def _set_registration(self, wanted: bool) -> None:
        assert self._account is not None
        self._endpoint.refusal = ""
        try:
            self._account.setRegistration(wanted)
        except pj.Error as exc:
            if exc.status != PJSIP_EBUSY:  # busy: pjsua2 refreshes by itself just now, and that has an end too
                raise StackError(f"REGISTER cannot be sent: {exc.reason}") from exc


class _Endpoint(pj.Endpoint):  # type: ignore[misc]  # pjsua2 has no types
    """Asks the ISIM; remembers why it gave no response."""

    def __init__(self, ask: Callable[[DigestQuestion], Answer]) -> None:
        super().__init__()
        self.refusal = ""
        self._ask = ask

    def onCredAuth(self, prm: Any) -> int:  # noqa: N802 - pjsua2's name
        """Fill in the digest response (RFC 3310 §3.3); anything but 0 means that none is sent."""
        try:
            return self._respond(prm.digestChallenge, prm.digestCredential, str(prm.method))
        except Exception:  # noqa: BLE001 - one of the boundaries: an exception here is a SIGSEGV
            self.refusal = "isim-unavailable"
            return PJ_EUNKNOWN

    def _respond(self, challenge: Any, credential: Any, method: str) -> int:
        question = DigestQuestion(
            username=credential.username,
            realm=credential.realm,
            nonce=challenge.nonce,
            uri=credential.uri,
            method=method,
            qop=credential.qop,
            nc=credential.nc,
            cnonce=credential.cnonce,
        )
        answer = self._ask(question)
        if answer.refusal:
            self.refusal = answer.refusal
            return PJ_EUNKNOWN
        credential.response = answer.response
        if answer.auts:
            # otherParam, the place for it, aborts: DigestCredential::toPj (pjsua2/endpoint.cpp) lists parameters that
            # have left their scope.  ``algorithm`` must stay: 2.12 compares it, and keeps this header beside the next.
            credential.response += f'", auts="{answer.auts}'
        return PJ_SUCCESS


class _Account(pj.Account):  # type: ignore[misc]  # pjsua2 has no types
    """Turns callbacks into events."""

    def __init__(self, endpoint: _Endpoint, calls: Calls, push: Callable[[StackEvent], None]) -> None:
        super().__init__()
        self._endpoint_of_ours = endpoint
        self._calls = calls
        self._push = push

    def onRegState(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        try:
            self._push(self._registration(prm))
        except Exception as exc:  # noqa: BLE001 - one of the boundaries: an exception here is an abort
            self._push(RegistrationChanged(0, f"the answer cannot be read: {type(exc).__name__}", 0, ()))

    def _registration(self, prm: Any) -> RegistrationChanged:
        if prm.status != PJ_SUCCESS:
            reason = self._endpoint_of_ours.refusal or str(prm.reason) or f"pjsip status {prm.status}"
            return RegistrationChanged(int(prm.code), reason, 0, ())
        if not 200 <= prm.code <= 299:
            return RegistrationChanged(int(prm.code), str(prm.reason), 0, ())
        expires = max(0, min(int(prm.expiration), 0xFFFFFFFF))
        return RegistrationChanged(int(prm.code), str(prm.reason), expires, associated_uris(str(prm.rdata.wholeMsg)))

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        with contextlib.suppress(Exception):  # one of the boundaries: untaken, pjsua2 answers 500 by itself
            self._calls.take(self, int(prm.callId))

    def onInstantMessage(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        try:
            self._push(MessageReceived(address_of(str(prm.fromUri)), str(prm.contentType), str(prm.msgBody)))
        except Exception:  # noqa: BLE001 - one of the boundaries: an exception here is an abort
            self._push(MessageReceived("", "", ""))

    def onInstantMessageStatus(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        try:
            self._push(MessageSent(int(prm.code), str(prm.reason)))
        except Exception as exc:  # noqa: BLE001 - one of the boundaries: an exception here is an abort
            self._push(MessageSent(0, f"the answer cannot be read: {type(exc).__name__}"))


@contextlib.contextmanager
def _quiet_standard_output() -> Iterator[None]:
    """Keep off standard output what pjlib prints before its log level can be set: events go there."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
        ctypes.CDLL(None).fflush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _endpoint_config() -> Any:
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt = 1
    config.uaConfig.maxCalls = 4
    config.medConfig.noVad = True  # RTP goes all the time, also where the tone pauses
    config.uaConfig.userAgent = USER_AGENT
    return config


def _account_config(settings: StackSettings, transport: int) -> Any:
    config = pj.AccountConfig()
    config.idUri = settings.public_user_identity
    _set_registration_part(config.regConfig, settings)
    config.sipConfig.authCreds.append(_credential(settings))
    config.sipConfig.authInitialEmpty = True
    config.sipConfig.authInitialAlgorithm = "AKAv1-MD5"
    config.sipConfig.proxies.append(settings.route)
    config.sipConfig.transportId = transport
    config.sipConfig.contactParams = settings.contact_parameters
    config.mediaConfig.transportConfig.boundAddress = settings.local_address
    config.mediaConfig.transportConfig.port = 0
    config.natConfig.contactRewriteUse = config.natConfig.viaRewriteUse = config.natConfig.sipOutboundUse = 0
    return config


def _set_registration_part(config: Any, settings: StackSettings) -> None:
    config.registrarUri = f"sip:{settings.home_domain}"
    config.registerOnAdd = False
    config.timeoutSec = settings.expires_s
    config.retryIntervalSec = 0  # whoever commands us decides what to do after a failure
    config.firstRetryIntervalSec = 0
    for name, value in (("P-Access-Network-Info", settings.access_network_info), ("Supported", "path")):
        if value:
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            config.headers.append(header)


def _credential(settings: StackSettings) -> Any:
    credential = pj.AuthCredInfo()
    credential.scheme = "Digest"
    credential.realm = settings.home_domain
    credential.username = settings.private_user_identity
    credential.dataType = pj.PJSIP_CRED_DATA_EXT_AKA
    return credential


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2])
