"""One configured peer: carries out what its machine and its watchdog decide, on at most two transports.

The decisions are the leaf's (``peer``, ``watchdog``, ``capabilities``); here are the transports, the deadlines and the
words to the program.  No Cx, no routing, no identities.
"""

from collections.abc import Callable
from math import inf
from typing import Final

import structlog

from diameter_proxy.diameter.capabilities import Capabilities
from diameter_proxy.diameter.errors import (
    DiameterError,
    FramingLost,
    UnexpectedEvent,
)
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.peer import (
    OPEN_STATES,
    Action,
    Event,
    Peer,
    SecondConnection,
    State,
    second_connection,
    wins_election,
)
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.diameter.watchdog import Watchdog, WatchdogAction, WatchdogActions, WatchdogState
from diameter_proxy.diameter.wire import ERROR, REQUEST, apart, messages_in
from diameter_proxy.node.availability import Availability
from diameter_proxy.node.base_messages import BaseMessages
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.connection import Connection
from diameter_proxy.node.events import PeerStatus
from diameter_proxy.node.limited_log import LimitedLog
from diameter_proxy.node.program import Program
from diameter_proxy.node.reconnection import Reconnection
from diameter_proxy.node.second_connection import HeldConnection, has_restarted
from diameter_proxy.node.sender import Candidate, Sender
from diameter_proxy.node.transports import Transports

_BASE_APPLICATION: Final = bytes(4)


class Link:
    """One peer, with its machine, its watchdog and its transports."""

    def __init__(
        self,
        peer: PeerConfig,
        node: NodeConfig,
        sender: Sender,
        program: Program,
        jitter: Callable[[], float],
        limited_log: LimitedLog,
    ) -> None:
        self.peer = peer
        self.remote: Capabilities | None = None
        self.connection: Connection | None = None
        """The transport of the open state; still set while closing, so that answers can go out."""
        self.reason = "not connected yet"
        self.received_count = 0
        self.sent_count = 0
        self._node = node
        self._sender = sender
        self._base = sender.base
        self._program = program
        self._machine = Peer()
        self._watchdog = Watchdog(node.watchdog_s, jitter, probe_s=node.watchdog_probe_s)
        self._transports = Transports(peer.host)
        self._candidate: Candidate | None = None
        self._state_due = inf
        self._has_heard = False
        """Whether the peer has sent anything since the last tick."""
        self._reconnection = Reconnection(node, connects=peer.connect)
        self._availability = Availability(peer, program.on_peer, self._reconnection.succeeded)
        self._cause = DisconnectCause.REBOOTING
        self._dpr: Message | None = None
        self._connections_opened = 0
        self._log = structlog.get_logger().bind(peer=peer.host)
        self._held = HeldConnection(sender, self._log)
        self._base_messages = BaseMessages(sender.base, self, peer.host, limited_log)

    # What the node asks.

    @property
    def is_open(self) -> bool:
        """Whether new requests may be sent."""
        return self._watchdog.state is WatchdogState.OKAY and self._machine.state in OPEN_STATES

    @property
    def is_closed(self) -> bool:
        """Whether no transport is left."""
        return self._machine.state is State.CLOSED

    def status(self) -> PeerStatus:
        """Return how the peer stands."""
        remote, connection = self.remote, self.connection
        return PeerStatus(
            host=self.peer.host,
            realm=self.peer.realm,
            group=self.peer.group,
            state=self._machine.state.name,
            watchdog=self._watchdog.state.name,
            is_open=self.is_open,
            tls=self.peer.tls,
            remote_address=connection.remote_address if connection else "",
            origin_state_id=remote.origin_state_id if remote else None,
            application_ids=tuple(sorted(remote.application_ids)) if remote else (),
            pending_requests=len(connection.pending) if connection else 0,
            unsent_octets=connection.unsent_octets if connection else 0,
            messages_received=self.received_count,
            messages_sent=self.sent_count,
            connections_opened=self._connections_opened,
            reason=self.reason,
        )

    def start(self) -> None:
        """Connect now, if this is a peer to connect to (Start, RFC 6733 §5.6)."""
        if self.peer.connect and self.is_closed:
            self._reconnection.begin()
            self._handle(Event.START)

    def stop(self, cause: DisconnectCause) -> None:
        """Say good-bye with a DPR (Stop, RFC 6733 §5.6); no new attempt follows."""
        self._reconnection.stop()
        self._cause = cause
        self.reason = "the node stops"
        self._held.reject(self.reason)
        if self._machine.state is not State.CLOSING:
            self._handle(Event.STOP)

    def abort(self) -> None:
        """Drop every transport at once."""
        self.stop(self._cause)
        if self._machine.state is State.CLOSING:
            self._handle(Event.TIMEOUT)

    def tick(self, now: float) -> None:
        """Look at every deadline of this peer."""
        if now >= self._reconnection.due:
            self.start()
        if now >= self._state_due:
            self.reason = f"no progress in {self._machine.state.name}"
            self._handle(Event.TIMEOUT)
        if now >= self._held.due:
            self._replace_by_held()
        if self._has_heard:
            self._has_heard = False
            if self._watchdog.state is WatchdogState.OKAY:
                self._watchdog.received_other(now)
        if now >= self._watchdog.due:
            if self.connection is not None and self.connection.is_paused_for_others:
                self._watchdog.postpone(now)
            else:
                self._watch(self._watchdog.timer_expired(now))

    # What the transports say.

    def connected(self, connection: Connection) -> None:
        """Take the transport that we initiated (I-Rcv-Conn-Ack)."""
        self._transports.connecting = None
        self._transports.initiator = connection
        connection.owner = self
        self._handle(Event.I_RCV_CONN_ACK)

    def connect_failed(self, reason: str) -> None:
        """Take note that no transport came up (I-Rcv-Conn-Nack)."""
        self._transports.connecting = None
        self.reason = reason
        self._handle(Event.I_RCV_CONN_NACK)

    def offer(self, candidate: Candidate) -> None:
        """Take an accepted transport with an acceptable CER (R-Conn-CER)."""
        candidate.connection.owner = self
        if not self._machine.state.is_open and self._machine.state is not State.CLOSING:
            waiting, self._candidate = self._candidate, candidate
            self._handle(Event.R_CONN_CER)
            if candidate.connection is not self._transports.responder:
                self._candidate = waiting  # a further one was rejected: the CEA is owed on the first
            return
        restarted = has_restarted(candidate, self.remote, self.connection)
        verdict = second_connection(self._machine.state, self._watchdog.state, has_restarted=restarted)
        if verdict is SecondConnection.REPLACE:
            self._replace(candidate)
            return
        self._held.hold(candidate, self._program.now() + self._node.hold_s)
        if self.connection is not None:
            self._sender.dwr(self.connection)

    def connection_made(self, connection: Connection) -> None:
        """Do nothing: ``connected`` and ``offer`` are how transports come here."""

    def receive(self, connection: Connection, runs: list[bytes]) -> None:
        """Handle the messages of one read."""
        if connection is not self.connection:
            self._before_open(connection, apart(runs))
            return
        self.received_count += messages_in(runs)
        if self._watchdog.state is WatchdogState.OKAY:
            self._has_heard = True  # SetWatchdog() with the next tick: for each read it would cost more than the read
        else:
            self._watch(self._watchdog.received_other(self._program.now()))
        host = self.peer.host
        pending = connection.pending
        program = self._program
        for octets in program.on_messages(host, runs):
            if octets[8:12] == _BASE_APPLICATION or len(octets) & 3:
                self._base_messages.receive(connection, octets)
                if connection.is_closed:
                    return
            elif octets[4] & REQUEST:
                if octets[4] & ERROR:
                    self._base_messages.receive(connection, octets)
                else:
                    program.on_request(host, octets)
            else:
                future = pending.take(int.from_bytes(octets[12:16], "big")) if len(pending) else None
                if future is None:
                    program.on_answer(host, octets)
                elif not future.done():
                    future.set_result(octets)

    def framing_lost(self, connection: Connection, loss: FramingLost) -> None:
        """Answer 5011 where it is owed, then drop the transport (RFC 6733 §2.1)."""
        self._log.warning("connection.dropped", reason=str(loss), remote=connection.remote_address)
        answer = self._base.loss(loss)
        if answer is not None:
            connection.write(answer)
        self._disconnected(connection, str(loss))

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """Take note that a transport went down under us (I-Peer-Disc, R-Peer-Disc)."""
        if connection is not self.connection:
            reason = f"closed before CEA: {reason}"
        self._disconnected(connection, reason)

    # What messages of the base protocol say.

    def _before_open(self, connection: Connection, messages: list[bytes]) -> None:
        awaits_cea = self._machine.state in (State.WAIT_I_CEA, State.WAIT_RETURNS)
        if connection is not self._transports.initiator or not awaits_cea:
            return  # accepted, and not answered yet: nothing may follow a CER before its CEA (RFC 6733 §5.6)
        try:
            cea = Message.decode(messages[0])
            remote = self._base.check_cea(cea, self.peer)
        except (DiameterError, ValueError) as exc:
            self.reason = f"no acceptable CEA: {exc}"
            self._handle(Event.I_RCV_NON_CEA)
            return
        self.remote = remote
        self._handle(Event.I_RCV_CEA)
        if messages[1:] and connection is self.connection:
            self.receive(connection, messages[1:])

    def dpr_received(self, connection: Connection, dpr: Message, cause: DisconnectCause) -> None:
        """Answer the good-bye and close (I-Rcv-DPR, R-Rcv-DPR)."""
        self._dpr = dpr
        self.reason = f"DPR with cause {cause.name}"
        self._handle(Event.I_RCV_DPR if connection is self._transports.initiator else Event.R_RCV_DPR)
        if cause is not DisconnectCause.REBOOTING and self.peer.connect:
            self._reconnection.unwanted()

    def dpa_received(self, connection: Connection) -> None:
        """Close after our good-bye (I-Rcv-DPA, R-Rcv-DPA)."""
        if self._machine.state is State.CLOSING:
            self._handle(Event.I_RCV_DPA if connection is self._transports.initiator else Event.R_RCV_DPA)

    def dwa_received(self) -> None:
        """Take note that the peer lives; a second connection of it then has no place."""
        self._watch(self._watchdog.received_dwa(self._program.now()))
        self._held.reject("the first connection lives")

    # The machine.

    def _handle(self, event: Event) -> None:
        before = self._machine.state
        try:
            actions = self._machine.handle(event)
        except UnexpectedEvent as exc:
            self._log.debug("event.ignored", reason=str(exc))
            return
        after = self._machine.state
        if before.is_open and (not after.is_open or event is Event.R_CONN_CER_REPLACES):
            self._left_open()
        for action in actions:
            self._perform(action)
        if self._machine.state is not after:
            return  # an election decided inside took care of the rest
        if after.is_open and not (before.is_open and event is Event.R_CONN_CER):
            self._entered_open()
        self._arm(after)

    def _perform(self, action: Action) -> None:
        match action:
            case Action.I_SND_CONN_REQ:
                self._transports.connecting = self._program.connect(self)
            case Action.I_SND_CER:
                assert self._transports.initiator is not None, "a CER goes out on the transport that we initiated"
                self._sender.cer(self._transports.initiator)
            case Action.R_ACCEPT:
                self._transports.responder = self._accepted().connection
            case Action.PROCESS_CER:
                self.remote = self._accepted().capabilities
            case Action.PROCESS_CEA:
                pass  # its capabilities were kept when it was checked
            case Action.R_SND_CEA:
                candidate = self._accepted()
                self.remote = candidate.capabilities
                self._sender.cea(candidate)
            case Action.R_REJECT:
                self._sender.refuse(self._accepted(), "there is a connection already")
            case Action.R_SND_ELECTION_LOST:
                self._sender.lose_election(self._accepted())
            case Action.ELECT:
                if wins_election(self._node.origin_host, self.peer.host):
                    self._handle(Event.WIN_ELECTION)
            case Action.I_DISC:
                self._transports.close_initiator(self.reason)
            case Action.R_DISC:
                self._transports.close_responder(self.reason)
            case Action.CLEANUP | Action.ERROR:
                self._transports.clean_up(self.reason)
            case Action.I_SND_DPR | Action.R_SND_DPR:
                if self.connection is not None:
                    self._sender.dpr(self.connection, self._cause)
            case Action.I_SND_DPA | Action.R_SND_DPA:
                if self.connection is not None and self._dpr is not None:
                    self.connection.write(self._base.dpa(self._dpr))

    def _entered_open(self) -> None:
        connection = self._transports.initiator if self._machine.state is State.I_OPEN else self._transports.responder
        assert connection is not None, "an open state has its transport"
        self.connection = connection
        self._connections_opened += 1
        self.reason = ""
        self._log.info("peer.connected", remote=connection.remote_address, state=self._machine.state.name)
        self._program.on_connection(self.peer.host)
        self._watch(self._watchdog.connection_up(self._program.now()))
        self._announce()

    def _left_open(self) -> None:
        self._watchdog.connection_down()
        self._announce()
        self._log.info("peer.disconnected", reason=self.reason)

    def _arm(self, state: State) -> None:
        now = self._program.now()
        waits = {
            State.CLOSED: inf,
            State.WAIT_CONN_ACK: self._node.connect_s,
            State.CLOSING: self._node.disconnect_s,
            State.R_OPEN: inf,
            State.I_OPEN: inf,
        }
        self._state_due = now + waits.get(state, self._node.capabilities_s)
        if state is not State.CLOSED:
            return
        self.connection = None
        self._program.on_closed()
        held = self._held.take()
        if held is not None:
            self.offer(held)
        elif self._reconnection.failed(now, self.reason):
            self._log.warning("peer.unreachable", reason=self.reason)

    # The watchdog.

    def _watch(self, actions: WatchdogActions) -> None:
        for action in actions:
            match action:
                case WatchdogAction.SEND_WATCHDOG:
                    if self.connection is not None:
                        self._sender.dwr(self.connection)
                case WatchdogAction.FAILOVER:
                    self._log.warning("peer.suspected", interval_s=self._node.watchdog_s)
                    self._announce()
                case WatchdogAction.FAILBACK:
                    self._log.info("peer.recovered")
                    self._announce()
                case WatchdogAction.CLOSE_CONNECTION:
                    if self.connection is not None:
                        connection = self.connection
                        self._disconnected(connection, "no answer to watchdogs")
                        connection.abort()

    def _announce(self) -> None:
        self._availability.announce(self._machine.state, self._watchdog.state, self.reason, self.remote)

    # What the actions need.

    def _accepted(self) -> Candidate:
        assert self._candidate is not None, "an action on a CER follows a CER"
        return self._candidate

    def _replace_by_held(self) -> None:
        held = self._held.take()
        if held is not None:
            self._replace(held)

    def _replace(self, candidate: Candidate) -> None:
        self._log.info("connection.replaced", remote=candidate.connection.remote_address)
        self._held.take()
        self.reason = "replaced by a new connection of the peer"
        self._candidate = candidate
        self._handle(Event.R_CONN_CER_REPLACES)

    def _disconnected(self, connection: Connection, reason: str) -> None:
        if self._held.forget(connection):
            return
        self.reason = reason
        if connection is self._transports.initiator:
            self._handle(Event.I_PEER_DISC)
        elif connection is self._transports.responder:
            self._handle(Event.R_PEER_DISC)
        connection.close()
