"""The running HSS: its Diameter node, its control socket, and the way an RTR takes.

Requests are answered one after the other in the event loop, each in one transaction: that is what makes the sequence
numbers of several private identities one generator. What to answer is in ``cx``.
No secret and no identity is an event's field.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterable
from typing import Final

import structlog

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR, SAR
from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.values import DisconnectCause, ReasonCode
from diameter_proxy.diameter.wire import decode_header
from diameter_proxy.logs import tell
from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig
from diameter_proxy.node.errors import NodeError, PeerCongested, PeerNotOpen
from diameter_proxy.node.events import PeerEvent
from diameter_proxy.node.node import Node
from lab.systems.hss import cx
from lab.systems.hss.authentication_centre import AuthenticationCentre
from lab.systems.hss.config import HssConfig
from lab.systems.hss.control import (
    AnswersCommand,
    Command,
    ModeCommand,
    Reply,
    RtrCommand,
    SequenceNumberCommand,
    StatusCommand,
    serve_control,
)
from lab.systems.hss.errors import Refusal
from lab.systems.hss.registration import CLEARED, Registration
from lab.systems.hss.rtr import Termination, decode_rta, encode_rtr
from lab.systems.hss.store import Store
from lab.systems.hss.subscribers import IdentitySet, directory_of

STOP_DEADLINE_S: Final = 2.0
SOURCES_MAX: Final = 1024
"""How many Origin-Hosts are remembered with the peer that they came through."""

log = structlog.get_logger()


class HssProgram:
    """One HSS in one process."""

    def __init__(self, config: HssConfig) -> None:
        """Open the state file.

        Raises:
            StoreError: it cannot be used.
        """
        self._config = config
        self._store = Store(config.hss.state)
        self._hss = cx.HomeSubscriberServer(
            node=cx.Node(config.node.origin_host, config.node.origin_realm),
            directory=directory_of(config.users),
            store=self._store,
            centre=AuthenticationCentre(self._store),
            scscf=config.hss.scscf,
            mode=config.hss.mode,
            corrupt_res_for=frozenset(config.hss.corrupt_res_for),
        )
        self._node = Node(node_config(config), self._on_request, self._on_peer)
        self._peer_of_source: dict[str, str] = {}
        self._control: asyncio.Server | None = None
        self._sent = 0
        self._answers = AnswersCommand(command="answers")
        self._boot = int(time.time())

    @property
    def listen(self) -> list[str]:
        """Where Diameter is listened on, as ``address:port``."""
        return list(self._node.listen)

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenFailed: the Diameter address is not to be had.
            OSError: the control socket is not to be had.
        """
        self._hss.start()
        await self._node.start()
        if self._config.hss.control is not None:
            self._control = await serve_control(self._config.hss.control, self.handle)

    async def stop(self) -> None:
        """Say good-bye to the peers (DPR, RFC 6733 §5.4) and close the files."""
        if self._control is not None:
            self._control.close()
        await self._node.stop(DisconnectCause.REBOOTING, STOP_DEADLINE_S)
        self.close()

    def close(self) -> None:
        """Close the state file."""
        self._store.close()

    async def handle(self, command: Command) -> Reply:
        """Carry out a command of the control socket."""
        match command:
            case RtrCommand():
                return await self._terminate(command)
            case ModeCommand():
                self._hss.mode = command.mode
                log.info("mode.changed", mode=command.mode.value)
                return {"ok": True, "mode": command.mode.value}
            case SequenceNumberCommand():
                if command.user not in {row.subscriber.name for row in self._hss.directory}:
                    return {"ok": False, "error": "no such user"}
                with self._store.transaction():
                    self._store.put_sqn_he(command.user, command.sqn_he)
                return {"ok": True, "user": command.user, "sqn_he": command.sqn_he}
            case AnswersCommand():
                self._answers = command
                log.info("answers.changed", silent=command.silent, after_s=command.after_s)
                return {"ok": True, "silent": command.silent, "after_s": command.after_s}
            case StatusCommand():
                return self._status()

    def _on_request(self, peer: str, octets: bytes) -> None:
        """Answer one request; what fails here unforeseen, the node answers with 5012."""
        if self._answers.silent:
            return
        answer = self._hss.answer(octets)
        self._note_source(peer, octets)
        if self._answers.after_s:
            asyncio.get_running_loop().call_later(self._answers.after_s, self._send, peer, answer)
            return
        self._send(peer, answer)

    def _send(self, peer: str, answer: bytes) -> None:
        try:
            self._node.send(peer, answer)
        except (PeerNotOpen, PeerCongested) as exc:
            log.warning("answer.dropped", peer=peer, reason=str(exc))

    def _note_source(self, peer: str, octets: bytes) -> None:
        """Note through which peer a serving node is reached, for RTR."""
        if decode_header(octets).command_code not in (MAR.code, SAR.code):
            return
        with contextlib.suppress(DiameterError):
            source = Message.decode(octets).get(d.ORIGIN_HOST)
            if source is not None and (source in self._peer_of_source or len(self._peer_of_source) < SOURCES_MAX):
                self._peer_of_source[source] = peer

    def _on_peer(self, event: PeerEvent) -> None:
        log.debug(f"peer.{event.kind.value}", peer=event.peer, reason=event.reason)

    async def _terminate(self, command: RtrCommand) -> Reply:
        try:
            identities = self._hss.directory.by_impi(self._hss.mode, command.private_user_identity)
        except Refusal as exc:
            return {"ok": False, "error": str(exc)}
        registration = self._store.registration(identities.private_user_identity)
        peer = self._next_hop(registration)
        if peer is None:
            return {"ok": False, "error": "no peer is open"}
        octets = self._encode_rtr(command, identities, registration, peer)
        try:
            code = decode_rta(await self._node.request(peer, octets, self._config.hss.rtr_deadline_s))
        except (NodeError, DiameterError) as exc:
            log.warning("registration.unconfirmed", peer=peer, reason=str(exc))
            return {"ok": False, "peer": peer, "error": f"{type(exc).__name__}: {exc}"}
        if code == ResultCode.SUCCESS:
            with self._store.transaction():
                self._store.put_registration(identities.private_user_identity, CLEARED)
        log.info("registration.terminated", peer=peer, result_code=code)
        return {"ok": True, "peer": peer, "result_code": code}

    def _encode_rtr(self, command: RtrCommand, identities: IdentitySet, registration: Registration, peer: str) -> bytes:
        node, serving = self._config.node, registration.serving
        self._sent += 1
        termination = Termination(
            identities.private_user_identity,
            command.public_user_identities or identities.public_user_identities,
            destination_host=peer if serving is None else serving.origin_host,
            destination_realm=node.origin_realm if serving is None else serving.origin_realm,
            reason=ReasonCode(command.reason),
            reason_info=command.reason_info,
        )
        return encode_rtr(
            termination,
            session_id=f"{node.origin_host};{self._boot};{self._sent}",
            origin_host=node.origin_host,
            origin_realm=node.origin_realm,
            end_to_end=self._node.next_end_to_end(),
        )

    def _next_hop(self, registration: Registration) -> str | None:
        """Return the S-CSCF itself where it is a peer, else the peer that its requests came through, else any."""
        serving = registration.serving
        wanted: list[str] = []
        if serving is not None:
            wanted = [serving.origin_host, self._peer_of_source.get(serving.origin_host, "")]
        return next((peer for peer in self._among_peers([*wanted, *self._config.node.peers])), None)

    def _among_peers(self, names: Iterable[str]) -> Iterable[str]:
        return (name for name in names if name in self._config.node.peers and self._node.is_open(name))

    def _status(self) -> Reply:
        registrations = [
            {
                "private_user_identity": row.private_user_identity,
                "state": registration.state.value,
                "server_name": registration.server_name,
                "auth_pending": registration.auth_pending,
            }
            for row in self._hss.directory
            if (registration := self._store.registration(row.private_user_identity)) != CLEARED
        ]
        return {
            "ok": True,
            "mode": self._hss.mode.value,
            "listen": self.listen,
            "open_peers": [name for name in self._config.node.peers if self._node.is_open(name)],
            "counts": {**self._hss.counts, **self._hss.centre.counts},
            "registrations": registrations,
        }


def node_config(config: HssConfig) -> NodeConfig:
    """Return the configuration of our Diameter node: it only accepts."""
    node = config.node
    peers = tuple(PeerConfig(host, node.origin_realm, group="cx") for host in node.peers)
    return NodeConfig(
        origin_host=node.origin_host,
        origin_realm=node.origin_realm,
        listeners=(ListenerConfig(node.address, node.port),),
        peers=peers,
        product_name="mc-migration HSS simulator",
        watchdog_s=node.watchdog_s,
    )


async def serve(config: HssConfig) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        StoreError: the state file cannot be used.
        ListenFailed: the Diameter address is not to be had.
        OSError: the control socket is not to be had.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    program = HssProgram(config)
    await program.start()
    tell({"event": "ready", "listen": program.listen})
    log.info("program.started", listen=program.listen, mode=config.hss.mode.value)
    await stopping.wait()
    await program.stop()
    log.info("program.stopped")
