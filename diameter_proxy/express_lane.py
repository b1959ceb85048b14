"""The express lane at work: a MAR of a migrated user out, over CSC-Y or to the HSS, and its MAA back (10.6.2).

Steps 4, 5, 9 and 10 at the partner, 6 to 8 at the primary system.

``receive`` takes the messages of one read and returns those that it leaves to ``proxy``; ``learn_request`` and
``learn_answer`` then look at what became of them.  What is learnt is tried on the very message that
it was learnt from, and kept only if the same octets come out.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from diameter_proxy.counters import Counters
from diameter_proxy.deadlines import DeadlineQueue
from diameter_proxy.diameter.wire import REQUEST
from diameter_proxy.duplicates import Duplicates
from diameter_proxy.express import (
    AS_ASKED,
    ExpressWire,
    Form,
    Forms,
    Hole,
    Pending,
    ServerNameSource,
    form_of,
    holes_of,
    is_alike,
    is_current,
    public_identity_avp,
    shows,
    user_name_avp,
    with_identities,
)
from diameter_proxy.identity_map import IdentityMap, LentSet
from diameter_proxy.node.errors import NodeError
from diameter_proxy.pending import PendingRequests
from diameter_proxy.routing import MAR, Route
from diameter_proxy.settings import Settings
from diameter_proxy.splice import (
    ASSOCIATED_IDENTITIES,
    PROXY_INFO,
    PUBLIC_IDENTITY,
    RESULT_CODE,
    SESSION_ID,
    SIP_AUTH_DATA_ITEM,
    SLOTS,
    USER_NAME,
    WILDCARDED_IMPU,
    WILDCARDED_PUBLIC_IDENTITY,
    avp_at,
    locate,
    span_at,
    value_at,
)

_FURTHER: Final = (WILDCARDED_PUBLIC_IDENTITY, WILDCARDED_IMPU, ASSOCIATED_IDENTITIES)
"""Identities whose owner is asked for too: not of the common case."""

_TO_PARTNER: Final = Route.PARTNER
_TO_HSS: Final = Route.HSS_AS_KNOWN


class ExpressLane:
    """Takes what fits a form, from request to answer."""

    def __init__(
        self,
        wire: ExpressWire,
        identities: IdentityMap,
        pending: PendingRequests,
        duplicates: Duplicates,
        deadlines: DeadlineQueue[Pending],
        counters: Counters,
        server_names: ServerNameSource,
        used: Callable[[str], None],
        refusals: tuple[Callable[[bytes], bytes], Callable[[str, bytes], None]],
        hiding: tuple[blake2b, bytes, bytes],
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        settings: Settings,
        go_on: Callable[[Pending], None],
    ) -> None:
        """Take what the whole way works on too.

        ``used`` hears of each vector that goes to a partner; ``refusals`` make the answer to a request whose
        destination is busy, and hear of each that went out; ``hiding`` is ``TopologyHiding.session_parts``; ``go_on``
        has a request sent to its next peer, or answered.
        """
        self._go_on: Final = go_on
        self._wire: Final = wire
        self._identities: Final = identities
        self._pending: Final = pending
        self._duplicates: Final = duplicates
        self._deadlines: Final = deadlines
        self._counters: Final = counters
        self._server_names: Final = server_names
        self._used: Final = used
        self._refusal_of: Final = refusals[0]
        self._refused: Final = refusals[1]
        self._keyed: Final = hiding[0]
        self._session_head: Final = hiding[1]
        self._session_padding: Final = hiding[2]
        self._clock: Final = clock
        self._wall_clock: Final = wall_clock
        self._attempt_s = settings.attempt_s
        self._partner_s = min(settings.aaa_2_s, settings.csc_y_s)
        self._hss_s = min(settings.csc_y_s, settings.hss_s)
        self._as_default = settings.hss_as_default
        self._map_age_max_s = settings.map_age_max_s
        self._requests: Final = Forms()
        self._answers: Final = Forms()
        self._numbers: Final[dict[str, int]] = {}
        self._outgoing: dict[str, list[bytes]] = {}
        self.taken = 0

    def receive(self, peer: str, messages: list[bytes]) -> list[bytes]:
        """Pass on what is of the common case among the messages of one read; return the rest."""
        now_s = self._clock()
        wall_s = self._wall_clock()
        requests = self._requests.of_peer(peer)
        answers = self._answers.of_peer(peer)
        if not requests and not answers:
            return messages
        if self._identities.is_stale(now_s, self._map_age_max_s):
            return messages
        self._numbers.clear()
        rest: list[bytes] = []
        for data in messages:
            if data[4] & REQUEST:
                forms = requests.get(len(data))
                if forms is None or not self._request(peer, forms, data, now_s, wall_s, len(messages)):
                    rest.append(data)
            else:
                forms = answers.get(len(data))
                if forms is None or not self._answer(peer, forms, data, now_s, wall_s):
                    rest.append(data)
        self._flush()
        return rest

    def _request(self, peer: str, forms: list[Form], data: bytes, now_s: float, wall_s: float, messages: int) -> bool:
        for form in forms:
            parts = form.unpack(data)
            if parts[::2] == form.constants and self._pass_on(peer, form, parts, data, now_s, wall_s, messages):
                return True
        return False

    def _pass_on(
        self, peer: str, form: Form, parts: tuple[bytes, ...], data: bytes, now_s: float, wall_s: float, messages: int
    ) -> bool:
        lent = self._lent(form, parts)
        if lent is None or not lent.enabled or wall_s >= lent.not_after_s or lent.other_mc_system != form.system:
            return False
        end_to_end = parts[1][4:]
        mapped = with_identities(form, parts, lent)
        if mapped is None or self._pending.is_full or end_to_end in self._duplicates:
            return False
        candidate = self._open_candidate(form, messages)
        if candidate is None:
            return self._refuse(peer, form, data)
        out = self._mapped(form, parts, data, self._numbers[candidate], mapped, lent)
        if not out:
            return False
        self._send(peer, form, data, out, candidate, now_s, lent, mapped)
        return True

    def _lent(self, form: Form, parts: tuple[bytes, ...]) -> LentSet | None:
        """Return the one set that both identities are of, lent to or by the system of this form."""
        identities = self._identities
        if form.route is _TO_PARTNER:
            table = identities.lent_to_users
        else:
            of_system = identities.lent_to_systems.get(form.system)
            if of_system is None:
                return None
            table = of_system
        lent = table.get(parts[form.user])
        if lent is None or table.get(parts[form.public]) is not lent:
            return None
        if form.route is _TO_HSS and (self._as_default or not lent.provisioned) is not form.maps:
            return None
        return lent

    def _mapped(
        self,
        form: Form,
        parts: tuple[bytes, ...],
        data: bytes,
        hop_by_hop: int,
        mapped: tuple[bytes, bytes],
        lent: LentSet,
    ) -> bytes:
        """Return a request as it goes out, or nothing where that is not the common case."""
        end_to_end = parts[1][4:]
        user, public = user_name_avp(mapped[0]), public_identity_avp(mapped[1])
        if form.route is _TO_PARTNER:
            out = form.fill(data, hop_by_hop, end_to_end, self._hidden(parts[form.session]), user, public)
            return b"" if shows(out, lent.identities, lent.counterpart) else out
        server = self._server_names.of((mapped[0], lent.counterpart[0]))
        if bool(server) is not bool(form.server_to):
            return b""
        session = data[form.session_from : form.session_end]
        return form.fill(data, hop_by_hop, end_to_end, session, user, public, server)

    def _send(
        self,
        peer: str,
        form: Form,
        data: bytes,
        out: bytes,
        candidate: str,
        now_s: float,
        lent: LentSet,
        mapped: tuple[bytes, bytes],
    ) -> None:
        hop_by_hop = self._numbers[candidate]
        self._numbers[candidate] = hop_by_hop + 1 & 0xFFFFFFFF
        budget_s = self._partner_s if form.route is _TO_PARTNER else self._hss_s
        deadline_s = now_s + budget_s
        pending = Pending(
            peer, data, form.found, form.route, MAR, out, form.candidates, now_s, deadline_s, lent, mapped
        )
        self._out(candidate, out)
        self._pending.sent(pending, candidate, hop_by_hop)
        self._duplicates.begin(pending)
        if len(form.candidates) > 1 and self._attempt_s < budget_s:
            self._deadlines.add(now_s + self._attempt_s, pending)
        self._deadlines.add(deadline_s, pending)
        self._counters.passed(form.request_key, form.route_name)
        self.taken += 1

    def _answer(self, peer: str, forms: list[Form], data: bytes, now_s: float, wall_s: float) -> bool:
        pending = self._pending.find(peer, data[12] << 24 | data[13] << 16 | data[14] << 8 | data[15])
        if pending is None or pending.lent is None or pending.joined:
            return False
        asked = pending.asked
        if pending.found[PROXY_INFO] or data[16:20] != asked[16:20]:
            return False
        for form in forms:
            parts = form.unpack(data)
            if parts[::2] == form.constants:
                break
        else:
            return False
        sent, lent = pending.identities, pending.lent
        if parts[form.user] != sent[0] or parts[form.public] != sent[1]:
            return False
        if not is_current(self._identities, lent, wall_s):
            return False
        out = self._filled(form, pending, data)
        if shows(out, lent.counterpart, lent.identities):
            return False
        self._pending.settle(pending)
        self._duplicates.settle(pending, out, now_s)
        self._out(pending.source, out)
        if lent.is_primary:
            self._used(lent.binding)
        self._counters.returned(form.answer_key, now_s - pending.started_s)
        return True

    def _refuse(self, peer: str, form: Form, data: bytes) -> bool:
        """Answer 3004 when all peers that are open have enough to do; else leave it to the whole way to say why not."""
        busy = form.busy
        if busy is None or not any(map(self._wire.is_ready, form.candidates)):
            return False
        self._out(peer, self._filled_as_asked(busy, data, form.found, data))
        self._counters.passed(form.request_key, form.route_name)
        self._refused(peer, data)
        return True

    def _open_candidate(self, form: Form, messages: int) -> str | None:
        """Return the first peer that can take a request, with numbers enough for all the messages of this read."""
        for candidate in form.candidates:
            if not self._pending.has_room(candidate):
                continue
            if candidate in self._numbers:
                return candidate
            if self._wire.is_ready(candidate):
                self._numbers[candidate] = self._wire.reserve_hop_by_hop(candidate, messages)
                return candidate
        return None

    def _hidden(self, session_id: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(session_id)
        return self._session_head + keyed.hexdigest().encode() + self._session_padding

    def _out(self, peer: str, octets: bytes) -> None:
        waiting = self._outgoing.get(peer)
        if waiting is None:
            self._outgoing[peer] = [octets]
        else:
            waiting.append(octets)

    def _flush(self) -> None:
        """Give the node what goes to each peer, at once."""
        outgoing = self._outgoing
        if not outgoing:
            return
        self._outgoing = {}
        for peer, messages in outgoing.items():
            try:
                self._wire.send_all(peer, messages)
            except NodeError:
                self._not_taken(peer, messages)

    def _not_taken(self, peer: str, messages: list[bytes]) -> None:
        """Its connection is gone since the lane looked: each request goes on at once, an answer has nobody to go to."""
        for octets in messages:
            if not octets[4] & REQUEST:
                self._counters.answers_undeliverable += 1
                continue
            pending = self._pending.find(peer, int.from_bytes(octets[12:16], "big"))
            if pending is not None:
                self._go_on(pending)

    def learn_request(self, peer: str, pending: Pending, system: str, source: str) -> None:
        """Look at a request of a migrated user that has gone the whole way."""
        data, found = pending.asked, pending.found
        if (
            not is_alike(found)
            or any(found[slot] for slot in _FURTHER)
            or pending.lent is None
            or not self._requests.may_learn()
        ):
            return
        item = avp_at(data, found[SIP_AUTH_DATA_ITEM])
        out = pending.sent
        places = locate(out)
        if not is_alike(places) or avp_at(out, places[SIP_AUTH_DATA_ITEM]) != item:
            return
        form = form_of(data, found, out, places, has_server=pending.route is _TO_HSS)
        if pending.route is _TO_PARTNER and form.shows(pending.lent.identities, pending.lent.counterpart):
            return
        form.route, form.route_name = pending.route, pending.route.name
        form.system = system
        form.maps = pending.route is _TO_PARTNER or self._as_default or not pending.lent.provisioned
        form.candidates = pending.candidates
        form.request_key = (peer, source, MAR)
        again = self._mapped(form, form.unpack(data), data, 0, pending.identities, pending.lent)
        if again == out[:12] + bytes(4) + out[16:]:
            form.busy = self._busy(data, found)
            self._requests.add(peer, data, form)

    def _busy(self, data: bytes, found: list[int]) -> Form | None:
        """Return the form of the answer that refuses such a request, or None where it is not the common one."""
        refusal = self._refusal_of(data)
        places = locate(refusal)
        if not (is_alike(places) and places[SESSION_ID] and places[USER_NAME] and places[PUBLIC_IDENTITY]):
            return None
        busy = Form(data, holes_of(data, found), found)
        spans: list[Hole] = []
        for slot, kind in AS_ASKED:
            _, _, following = span_at(refusal, places[slot])
            spans.append((places[slot], following, kind))
        busy.leave(refusal, sorted(spans))
        return busy if self._filled_as_asked(busy, data, found, data) == refusal else None

    def learn_answer(self, peer: str, pending: Pending, data: bytes, out: bytes) -> None:
        """Look at a MAA with a vector that has gone the whole way back."""
        if pending.found[PROXY_INFO] or not self._answers.may_learn():
            return
        found, places = locate(data), locate(out)
        if len(found) > SLOTS or len(places) > SLOTS:
            return
        if not (found[SESSION_ID] and found[USER_NAME] and found[PUBLIC_IDENTITY]):
            return
        if avp_at(data, found[SIP_AUTH_DATA_ITEM]) != avp_at(out, places[SIP_AUTH_DATA_ITEM]):
            return
        form = form_of(data, found, out, places)
        if pending.lent is None or form.shows(pending.lent.counterpart, pending.lent.identities):
            return
        form.answer_key = (peer, MAR, int.from_bytes(value_at(data, found[RESULT_CODE]), "big"))
        if self._filled(form, pending, data) == out:
            self._answers.add(peer, data, form)

    def reconfigure(self, settings: Settings) -> None:
        """Hold other limits from now on, and forget all forms: what they rest on may have changed."""
        self._attempt_s = settings.attempt_s
        self._partner_s = min(settings.aaa_2_s, settings.csc_y_s)
        self._hss_s = min(settings.csc_y_s, settings.hss_s)
        self._as_default = settings.hss_as_default
        self._map_age_max_s = settings.map_age_max_s
        self._requests.clear()
        self._answers.clear()

    def sweep(self) -> None:
        """Begin a new tick."""
        self._requests.sweep()
        self._answers.sweep()

    def _filled(self, form: Form, pending: Pending, data: bytes) -> bytes:
        return self._filled_as_asked(form, data, pending.found, pending.asked)

    def _filled_as_asked(self, form: Form, data: bytes, found: list[int], asked: bytes) -> bytes:
        return form.fill(
            data,
            asked[12] << 24 | asked[13] << 16 | asked[14] << 8 | asked[15],
            asked[16:20],
            avp_at(asked, found[SESSION_ID]),
            avp_at(asked, found[USER_NAME]),
            avp_at(asked, found[PUBLIC_IDENTITY]),
        )
