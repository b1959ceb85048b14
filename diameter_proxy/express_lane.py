"""The express lane at work: a MAR of a migrated user out, over CSC-Y or to the HSS, and its MAA back (10.6.2).

Steps 4, 5, 9 and 10 at the partner, 6 to 8 at the primary system.

``receive`` takes the messages of one read and returns those that it leaves to ``proxy``; ``learn_request`` and
``learn_answer`` then look at what became of them.  What is learnt is tried on the very message that
it was learnt from, and kept only if the same octets come out.
"""

from binascii import hexlify
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from diameter_proxy.counters import Counters
from diameter_proxy.deadlines import DeadlineQueue
from diameter_proxy.diameter.wire import REQUEST
from diameter_proxy.duplicates import Duplicates
from diameter_proxy.express import (
    ExpressWire,
    ServerNameSource,
    public_identity_avp,
    shows,
    user_name_avp,
    with_identities,
)
from diameter_proxy.forms import AS_ASKED, Form, Forms, Hole, form_asked, form_of, is_alike
from diameter_proxy.identity_map import (
    BINDING,
    COUNTERPART,
    ENABLED,
    IDENTITIES,
    NOT_AFTER_S,
    IdentityMap,
    LentSet,
)
from diameter_proxy.outlets import Outlet, Outlets
from diameter_proxy.pending import Pending, PendingRequests
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

_NOBODY: Final[dict[int, Pending]] = {}
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
        self._outlets: Final = Outlets(wire, pending, counters, go_on)
        self._fitted: list[Form] = []
        """Forms of this read, to be counted after it."""
        self._now_s = 0.0
        self._wall_s = 0.0
        self._changes = 0
        self._waited_s = 0.0
        self._waited = 0
        self.taken = 0

    def receive(self, peer: str, messages: list[bytes]) -> list[bytes]:
        """Pass on what is of the common case among the messages of one read; return the rest."""
        requests = self._requests.of_peer(peer)
        answers = self._answers.of_peer(peer)
        if not requests and not answers:
            return messages
        self._now_s = self._clock()
        if self._identities.is_stale(self._now_s, self._map_age_max_s):
            return messages
        self._wall_s = self._wall_clock()
        self._changes = self._identities.changes
        self._outlets.begin(len(messages))
        waiting = self._pending.queue_of(peer).waiting if answers else _NOBODY
        rest: list[bytes] = []
        for data in messages:
            if data[4] & REQUEST:
                forms = requests.get(len(data))
                if forms is None or not self._request(peer, forms, data):
                    rest.append(data)
            else:
                forms = answers.get(len(data))
                pending = waiting.get(data[12] << 24 | data[13] << 16 | data[14] << 8 | data[15])
                if forms is None or pending is None or not self._answer(pending, forms, data):
                    rest.append(data)
        self._count()
        self._outlets.flush()
        return rest

    def _request(self, peer: str, forms: list[Form], data: bytes) -> bool:
        for form in forms:  # noqa: SIM110 - a generator for each message costs more than all of this
            if form.constants_of(data) == form.constants and self._pass_on(peer, form, data):
                return True
        return False

    def _pass_on(self, peer: str, form: Form, data: bytes) -> bool:
        values = form.values_of(data)
        lent = self._lent(form, values[form.user], values[form.public])
        if lent is None:
            return False
        if values[0] in self._duplicates or self._pending.is_full:
            return False
        mapped: tuple[bytes, bytes] | None = (values[form.user], values[form.public])
        if form.maps:
            mapped = with_identities(values[form.user], values[form.public], lent)
        if mapped is None:
            return False
        outlet = self._outlets.open_one(form.candidates)
        if outlet is None:
            return self._refuse(peer, form, data)
        out = self._mapped(form, values, data, outlet.hop_by_hop, mapped, lent)
        if not out:
            return False
        self._send(peer, form, data, out, outlet, lent, mapped)
        return True

    def _lent(self, form: Form, user: bytes, public: bytes) -> LentSet | None:
        """Return the one set that both identities are of, lent to or by the system of this form, if it may be used."""
        identities = self._identities
        if form.route is _TO_PARTNER:
            table = identities.lent_to_users
        else:
            of_system = identities.lent_to_systems.get(form.system)
            if of_system is None:
                return None
            table = of_system
        lent = table.get(user)
        if lent is None or table.get(public) is not lent or user != lent[IDENTITIES][0]:
            return None
        if not lent[ENABLED] or self._wall_s >= lent[NOT_AFTER_S] or lent.other_mc_system != form.system:
            return None
        if form.route is _TO_HSS and (self._as_default or not lent.provisioned) is not form.maps:
            return None
        return lent

    def _mapped(
        self,
        form: Form,
        values: tuple[bytes, ...],
        data: bytes,
        hop_by_hop: int,
        mapped: tuple[bytes, bytes],
        lent: LentSet,
    ) -> bytes:
        """Return a request as it goes out, or nothing where that is not the common case."""
        identifiers = hop_by_hop.to_bytes(4, "big") + values[0]
        user, public = user_name_avp(mapped[0]), public_identity_avp(mapped[1])
        item = data[form.item_from : form.item_end]
        if form.route is _TO_PARTNER:
            out = form.fill(identifiers, self._hidden(values[form.session]), user, public, item)
            hidden = lent[IDENTITIES]
            return b"" if form.may_show(item, hidden) and shows(out, hidden, lent[COUNTERPART]) else out
        server = self._server_names.of((mapped[0], lent[COUNTERPART][0]))
        if bool(server) is not bool(form.server_to):
            return b""
        return form.fill(identifiers, data[form.session_from : form.session_end], user, public, item, server)

    def _send(
        self,
        peer: str,
        form: Form,
        data: bytes,
        out: bytes,
        outlet: Outlet,
        lent: LentSet,
        mapped: tuple[bytes, bytes],
    ) -> None:
        hop_by_hop, now_s = outlet.hop_by_hop, self._now_s
        outlet.hop_by_hop = hop_by_hop + 1 & 0xFFFFFFFF
        budget_s = self._partner_s if form.route is _TO_PARTNER else self._hss_s
        deadline_s = now_s + budget_s
        pending = Pending(
            peer, data, form.found, form.route, MAR, out, form.candidates, now_s, deadline_s, lent, mapped
        )
        pending.form = form
        pending.map_changes = self._changes
        pending.tried = ((outlet.peer, hop_by_hop),)
        self._pending.count += 1
        outlet.queue.put(hop_by_hop, pending)
        self._outlets.add(outlet, out)
        self._duplicates.begin(pending)
        if len(form.candidates) > 1 and self._attempt_s < budget_s:
            self._deadlines.add(now_s + self._attempt_s, pending)
        self._deadlines.add(deadline_s, pending)
        self._fits(form)
        self.taken += 1

    def _answer(self, pending: Pending, forms: list[Form], data: bytes) -> bool:
        lent = pending.lent
        if lent is None or pending.joined or pending.found[PROXY_INFO]:
            return False
        for form in forms:
            if form.constants_of(data) == form.constants:
                break
        else:
            return False
        values = form.values_of(data)
        sent = pending.identities
        if values[0] != pending.end_to_end or values[form.user] != sent[0] or values[form.public] != sent[1]:
            return False
        if not self._is_current(pending, lent):
            return False
        item = data[form.item_from : form.item_end]
        out = _returned(form, pending, item)
        hidden = lent[COUNTERPART]
        if form.may_show(item, hidden) and shows(out, hidden, lent[IDENTITIES]):
            return False
        self._pending.settle(pending)
        self._duplicates.settle(pending, out, self._now_s)
        self._outlets.add(self._outlets.of(pending.source), out)
        if lent.is_primary:
            self._used(lent[BINDING])
        self._fits(form)
        if pending.started_s != self._waited_s:
            self._count_waited()
            self._waited_s = pending.started_s
        self._waited += 1
        return True

    def _is_current(self, pending: Pending, lent: LentSet) -> bool:
        """Say whether a binding still stands as it was, and may be used."""
        is_untouched = pending.map_changes == self._changes and pending.form is not None
        if not is_untouched and self._identities.bindings.get(lent[BINDING]) is not lent:
            return False
        return lent[ENABLED] and self._wall_s < lent[NOT_AFTER_S]

    def _refuse(self, peer: str, form: Form, data: bytes) -> bool:
        """Answer 3004 when all peers that are open have enough to do; else leave it to the whole way to say why not."""
        busy = form.busy
        if busy is None or not self._outlets.is_any_ready(form.candidates):
            return False
        self._outlets.add(self._outlets.of(peer), _as_asked(busy, data, form.found, b""))
        self._fits(form)
        self._refused(peer, data)
        return True

    def _hidden(self, session_id: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(session_id)
        return self._session_head + hexlify(keyed.digest()) + self._session_padding

    def _fits(self, form: Form) -> None:
        if not form.taken:
            self._fitted.append(form)
        form.taken += 1

    def _count(self) -> None:
        """Count what this read has brought."""
        for form in self._fitted:
            if form.route_name:
                self._counters.passed(form.request_key, form.route_name, form.taken)
            else:
                self._counters.returned(form.answer_key, form.taken)
            form.taken = 0
        self._fitted.clear()
        self._count_waited()

    def _count_waited(self) -> None:
        """Count answers to requests that came in one read, and so took the same time."""
        if self._waited:
            self._counters.answered(self._now_s - self._waited_s, self._waited)
            self._waited = 0

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
        if pending.route is _TO_PARTNER and form.names(pending.lent.identities, pending.lent.counterpart):
            return
        form.route, form.route_name = pending.route, pending.route.name
        form.system = system
        form.maps = pending.route is _TO_PARTNER or self._as_default or not pending.lent.provisioned
        form.candidates = pending.candidates
        form.request_key = (peer, source, MAR)
        again = self._mapped(form, form.values_of(data), data, 0, pending.identities, pending.lent)
        if again == out[:12] + bytes(4) + out[16:]:
            form.busy = self._busy(data, found)
            self._requests.add(peer, data, form)

    def _busy(self, data: bytes, found: list[int]) -> Form | None:
        """Return the form of the answer that refuses such a request, or None where it is not the common one."""
        refusal = self._refusal_of(data)
        places = locate(refusal)
        if not (is_alike(places) and places[SESSION_ID] and places[USER_NAME] and places[PUBLIC_IDENTITY]):
            return None
        busy = form_asked(data, found)
        spans: list[Hole] = []
        for slot, kind in AS_ASKED:
            _, _, following = span_at(refusal, places[slot])
            spans.append((places[slot], following, kind))
        busy.leave(refusal, sorted(spans))
        return busy if _as_asked(busy, data, found, b"") == refusal else None

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
        if pending.lent is None or form.names(pending.lent.counterpart, pending.lent.identities):
            return
        form.answer_key = (peer, MAR, int.from_bytes(value_at(data, found[RESULT_CODE]), "big"))
        if _returned(form, pending, data[form.item_from : form.item_end]) == out:
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
        self._outlets.clear()

    def sweep(self) -> None:
        """Begin a new tick."""
        self._requests.sweep()
        self._answers.sweep()


def _returned(form: Form, pending: Pending, item: bytes) -> bytes:
    """Return an answer as it goes back, with what was asked."""
    asked, fitted = pending.asked, pending.form
    if fitted is None:
        return _as_asked(form, asked, pending.found, item)
    return form.fill(
        asked[12:20],
        asked[fitted.session_from : fitted.session_end],
        asked[fitted.user_from : fitted.user_end],
        asked[fitted.public_from : fitted.public_end],
        item,
    )


def _as_asked(form: Form, asked: bytes, found: list[int], item: bytes) -> bytes:
    """Return an answer with what was asked, by where that stands in the request."""
    session, user = avp_at(asked, found[SESSION_ID]), avp_at(asked, found[USER_NAME])
    return form.fill(asked[12:20], session, user, avp_at(asked, found[PUBLIC_IDENTITY]), item)
