"""The procedures of an MC service UE: 10.1.X.1 (connection details), 10.6.1 and 10.6.2 (authentication, registration).

One Agent is one UE: a card, a user, a state directory, and one SIP stack process for each system at which it is
registered.  It takes no commands itself (``control``, ``cli``) and speaks no wire itself.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from mmserver.messages import ConnectionDetailsRequest, ConnectionDetailsResponse, LocationInformation
from ue_agent.card import moved_sequence_numbers, show_card
from ue_agent.challenge import ChallengeResponder
from ue_agent.config import UeConfig
from ue_agent.entries import default_sip_uri, entry_summary, partner_entry, primary_entry
from ue_agent.errors import NoMedia, RegistrationError, UsageError
from ue_agent.local_address import local_address_toward
from ue_agent.mcptt_info import MCPTT_INFO, mcptt_info
from ue_agent.stack_process import Media, Registration, StackProcess
from ue_agent.stack_settings import StackSettings
from ue_agent.store import Store, SystemEntry

TRY_NEXT_P_CSCF: Final = (0, 408, 503)
"""No answer or no transport: another P-CSCF may do better (TS 24.229 §5.1.1.2.1)."""

MEDIA_LOOK_S: Final = 0.05

Flow = Literal["password", "code"]
Emit = Callable[[dict[str, Any]], None]

OUTAGES: Final = frozenset({408, 500, 503, 504})
"""Statuses after which the UE tries to register anew: its registration may still stand (TS 24.229 §5.1.1.4.1)."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The end of a REGISTER with 200.

    Attributes:
        seconds: from the first REGISTER to the 200, with the challenge between them.
    """

    registration: Registration
    seconds: float


class Agent:
    """One UE."""

    def __init__(self, config: UeConfig, store: Store, emit: Emit) -> None:
        """Put the card in and note the primary MC system's configuration.

        Args:
            config: the UE.
            store: its state directory, held by this process.
            emit: takes the events that no command asked for.

        Raises:
            StoreError: the state is damaged, or cannot be written.
        """
        self._config = config
        self._store = store
        self._emit = emit
        impi = config.isim.private_user_identity
        self.responder = ChallengeResponder(
            config.isim.card(store.isim_state(impi)), lambda state: store.save_isim_state(impi, state)
        )
        self._access_tokens: dict[str, str] = {}
        self._stacks: dict[str, StackProcess] = {}
        self._ports: dict[str, tuple[str, int]] = {}
        self._endings: set[asyncio.Task[None]] = set()
        store.save_primary(primary_entry(config))

    @property
    def primary(self) -> str:
        """Name of the primary MC system."""
        return self._config.primary.system

    @property
    def registered_at(self) -> tuple[str, ...]:
        """The systems at which a SIP stack runs."""
        return tuple(self._stacks)

    async def authenticate(self, system: str, flow: Flow = "password") -> dict[str, Any]:
        """Authenticate the user at the primary's IdMS (10.6.1 step 1) or at a partner's (10.6.2 step 1).

        Raises:
            UsageError: a partner without configuration, or before the primary.
            HttpError: a server refused, or could not be asked.
        """
        # imported here: an HTTP client costs 0.15 s, and a UE that only registers needs none
        from ue_agent.authentication import authenticate_at_partner, authenticate_at_primary

        if system == self.primary:
            tokens = await authenticate_at_primary(self._config, flow)
        else:
            subject = self._access_tokens.get(self.primary)
            if subject is None:
                raise UsageError(f"authenticate at {self.primary} first: a partner is given a token made from its own")
            tokens = await authenticate_at_partner(self._config, self._entry(system), subject)
        self._access_tokens[system] = tokens.access_token
        return {"system": system, "expires_in": tokens.expires_in_s}

    async def get_connection_details(
        self, partner: str | None, location: LocationInformation | None
    ) -> ConnectionDetailsResponse:
        """Carry out 10.1.X.1 and keep what step 13 says beside the primary's configuration (NOTE 3).

        Raises:
            UsageError: neither the command nor the configuration says where the UE is.
            HttpError: a step refused, or the CMS could not be asked.
            StoreError: the reply names the primary MC system.
        """
        from ue_agent.configuration_client import get_partner_mc_system_connection_details
        from ue_agent.https import HttpsClient, context_of_file

        where = location or self._config.location
        if where is None:
            raise UsageError("no location: neither the command nor [location] of the configuration says one")
        request = ConnectionDetailsRequest(
            location_information=where,
            mc_service_ids=self._config.user.mc_service_ids,
            default_identities=self._config.isim.identities,
            partner_mc_system=partner,
        )
        limits = self._config.http
        async with HttpsClient(
            context_of_file(self._config.primary.ca),
            timeout_s=limits.timeout_s,
            response_octets_max=limits.response_octets_max,
        ) as https:
            response = await get_partner_mc_system_connection_details(
                https, self._config.primary.cms, self._access_tokens.get(self.primary), request
            )
        self._store.save_partner(partner_entry(response))
        return response

    async def register(self, system: str, expires_s: int | None = None, token_of: str | None = None) -> Registered:
        """Register anew at a system (10.6.1 step 3, 10.6.2 steps 2 to 13), with a SIP stack of its own.

        ``token_of``: the system whose access token REGISTER carries (TS 24.379 §7.2.1).

        Raises:
            UsageError: nothing is known of that system.
            RegistrationError: the last P-CSCF tried refused or was silent.
            StackError: the SIP stack cannot run.
        """
        entry = self._entry(system)
        body = self._mcptt_info(token_of) if token_of else None
        await self._end_stack(system)
        for p_cscf in entry.p_cscf[:-1]:
            try:
                return await self._register_through(entry, p_cscf, expires_s, body)
            except RegistrationError as exc:
                if exc.status not in TRY_NEXT_P_CSCF or str(exc) == "mac-failure":
                    raise
        return await self._register_through(entry, entry.p_cscf[-1], expires_s, body)

    async def refresh(self, system: str) -> Registered:
        """Register again before the registration lapses (TS 24.229 §5.1.1.4).

        Raises:
            UsageError: not registered there.
            RegistrationError: refused, and the registration is over; after an outage it may be tried again.
            StackError: the SIP stack has ended.
        """
        began = time.monotonic()
        stack = self._stack(system)
        try:
            registration = await stack.register(self._config.sip.timeout_s)
        except RegistrationError as exc:
            if exc.status not in OUTAGES:
                await self._end_stack(system)
            raise
        return Registered(registration, time.monotonic() - began)

    async def deregister(self, system: str) -> Registered:
        """De-register (TS 24.229 §5.1.1.6); the stack ends whatever the answer was.

        Raises:
            UsageError: not registered there.
            RegistrationError: refused or not answered; the registration lapses by itself.
            StackError: the SIP stack has ended.
        """
        began = time.monotonic()
        stack = self._stack(system)
        try:
            return Registered(await stack.deregister(self._config.sip.timeout_s), time.monotonic() - began)
        finally:
            await self._end_stack(system)

    async def send_message(self, system: str, to: str, text: str) -> tuple[int, str]:
        """Send a MESSAGE (RFC 3428) through a system; return status and reason of the 2xx.

        Raises:
            UsageError: not registered there.
            MessageError: refused or not answered.
            StackError: the SIP stack has ended.
        """
        return await self._stack(system).send_message(to, text, self._config.sip.timeout_s)

    async def call(self, system: str, to: str, ring_s: float) -> None:
        """Call somebody through a system (TS 24.229 §5.1.3); return when the call was answered.

        Raises:
            UsageError: not registered there.
            CallError: busy, not found, not answered in ``ring_s``, ...
            StackError: there is a call already, or the SIP stack has ended.
        """
        await self._stack(system).call(to, ring_s, self._config.sip.timeout_s)

    async def answer(self, system: str, status: int) -> None:
        """Answer the call that rings (TS 24.229 §5.1.4), or refuse it.

        Raises:
            UsageError: not registered there.
            CallError: the caller was gone before.
            StackError: none rings, or the SIP stack has ended.
        """
        await self._stack(system).answer(status, self._config.sip.timeout_s)

    async def await_media(self, system: str, packets: int, within_s: float) -> Media:
        """Wait until the call has sent and received so many RTP packets; return how many.

        Raises:
            UsageError: not registered there.
            NoMedia: not so many in time.
            StackError: there is no call, or the SIP stack has ended.
        """
        stack, deadline = self._stack(system), time.monotonic() + within_s
        while True:
            media = await stack.media(self._config.sip.timeout_s)
            if min(media.rtp_sent, media.rtp_received) >= packets:
                return media
            if time.monotonic() > deadline:
                raise NoMedia(
                    f"no media: {media.rtp_sent} RTP packets sent and {media.rtp_received} received in {within_s:g} s"
                )
            await asyncio.sleep(MEDIA_LOOK_S)

    async def hang_up(self, system: str) -> Media:
        """End the call; return its RTP packets.

        Raises:
            UsageError: not registered there.
            StackError: there is no call, or the SIP stack has ended.
        """
        return await self._stack(system).hang_up(self._config.sip.timeout_s)

    def set_sqn(self, sqn: Literal["old", "new"] | int) -> None:
        """Move the card's sequence numbers, durably (a laboratory's way to a resynchronisation).

        Raises:
            UsageError: they would be used up.
            StoreError: the disk refuses.
        """
        card = self.responder.isim
        card.sequence_numbers = moved_sequence_numbers(card.sequence_numbers, sqn)
        self._store.save_isim_state(card.private_user_identity, card.state)

    def status(self) -> dict[str, Any]:
        """Return what the UE knows: its systems, its registrations, its card; no secret."""
        return {
            "ue": self._config.ue.name,
            "primary": self.primary,
            "authenticated": sorted(self._access_tokens),
            "registered": sorted(self._stacks),
            "systems": [entry_summary(entry) for entry in self._store.systems()],
            "isim": show_card(self.responder.isim),
        }

    async def stop(self) -> None:
        """End all SIP stacks, without de-registration."""
        stacks, self._stacks = list(self._stacks.values()), {}
        await asyncio.gather(*(stack.stop() for stack in stacks), *self._endings)

    def _entry(self, system: str) -> SystemEntry:
        entry = self._store.load(system)
        if entry is None:
            raise UsageError(f"nothing is known of {system}: get connection details first")
        return entry

    def _stack(self, system: str) -> StackProcess:
        if system not in self._stacks:
            raise UsageError(f"not registered at {system}")
        return self._stacks[system]

    def _mcptt_info(self, system: str) -> tuple[str, str]:
        """Return what asks for service authorisation in a REGISTER (TS 24.379 §7.2.1)."""
        token = self._access_tokens.get(system)
        if token is None:
            raise UsageError(f"authenticate at {system} first: service authorisation takes an access token")
        return MCPTT_INFO, mcptt_info(token, self._store.instance()).decode()

    async def _register_through(
        self, entry: SystemEntry, p_cscf: str, expires_s: int | None, body: tuple[str, str] | None
    ) -> Registered:
        settings = self._settings(entry, p_cscf, expires_s or self._config.sip.expires_s)
        system = entry.mc_system
        stack = StackProcess(settings, self.responder, lambda event: self._on_stack_event(system, stack, event))
        await stack.start()
        self._stacks[system] = stack
        self._ports[system] = (settings.local_address, stack.port)
        began = time.monotonic()
        try:
            registration = await stack.register(self._config.sip.timeout_s, body)
        except BaseException:
            await self._end_stack(system)
            raise
        return Registered(registration, time.monotonic() - began)

    def _settings(self, entry: SystemEntry, p_cscf: str, expires_s: int) -> StackSettings:
        address = local_address_toward(p_cscf)
        known_address, port = self._ports.get(entry.mc_system, ("", 0))
        if self._config.sip.port or known_address != address:
            port = self._config.sip.port
        return StackSettings(
            private_user_identity=entry.identities.private_user_identity,
            public_user_identity=default_sip_uri(entry),
            home_domain=entry.home_domain,
            p_cscf=p_cscf,
            local_address=address,
            local_port=port,
            transport=self._config.sip.transport,
            expires_s=expires_s,
            instance=self._store.instance(),
            access_network_info=self._config.sip.access_network_info,
        )

    def _on_stack_event(self, system: str, stack: StackProcess, event: dict[str, Any]) -> None:
        match event["event"]:
            case "registration":
                self._emit_registration(system, event["status"], event["reason"], event["expires_s"])
                if not event["expires_s"] and event["status"] not in OUTAGES:
                    self._end_later(system, stack)  # also a refresh of pjsua2's own that was refused
            case "message-received":
                self._emit(
                    {"event": "message.received", "system": system, "from": event["sender"], "text": event["text"]}
                )
            case "call-received":
                self._emit({"event": "call.received", "system": system, "from": event["caller"]})
            case "call-answered":
                self._emit({"event": "call.answered", "system": system})
            case "call-ended":
                self._emit({**event, "event": "call.ended", "system": system})
            case "ended":
                self._emit_registration(system, 0, event["reason"], 0)
                self._end_later(system, stack)

    def _emit_registration(self, system: str, status: int, reason: str, expires_s: int) -> None:
        self._emit(
            {
                "event": "registration.changed",
                "system": system,
                "status": status,
                "reason": reason,
                "expires": expires_s,
            }
        )

    def _end_later(self, system: str, stack: StackProcess) -> None:
        if self._stacks.get(system) is stack:
            del self._stacks[system]
            ending = asyncio.create_task(stack.stop())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _end_stack(self, system: str) -> None:
        stack = self._stacks.pop(system, None)
        if stack is not None:
            await stack.stop()
        await asyncio.gather(*self._endings)
