"""How the express lane learns: from what went the whole way, and only what gives the same octets.

Of a message of a migrated user a form is made, and tried on that very message.  What names further identities, stands
twice, or may name the user who sent it in what others share, is not learnt.  Runs as plain Python and compiled.
"""

from collections.abc import Callable
from typing import Final

from librt.strings import BytesWriter

from diameter_proxy.diameter.wire import ERROR
from diameter_proxy.express import Limits, public_identity_avp, user_name_avp
from diameter_proxy.form_table import Forms
from diameter_proxy.forms import (
    LEARNT_OCTETS_MAX,
    Form,
    answer_form,
    answered,
    as_asked,
    is_alike,
    request_form,
)
from diameter_proxy.pending import Pending
from diameter_proxy.ready_sets import ANY_DOMAIN, ReadySets
from diameter_proxy.routing import MAR, Route
from diameter_proxy.session_ids import DIGITS, SessionIds
from diameter_proxy.splice import (
    ASSOCIATED_IDENTITIES,
    PROXY_INFO,
    PUBLIC_IDENTITY,
    RESULT_CODE,
    SERVER_NAME,
    SESSION_ID,
    SIP_AUTH_DATA_ITEM,
    SLOTS,
    USER_NAME,
    WILDCARDED_IMPU,
    WILDCARDED_PUBLIC_IDENTITY,
    avp_at,
    locate,
    value_at,
)
from diameter_proxy.templates import Template

_NOT_LEARNT: Final = (WILDCARDED_PUBLIC_IDENTITY, WILDCARDED_IMPU, ASSOCIATED_IDENTITIES, PROXY_INFO)
"""Identities whose owner is asked for too, and what an answer has to repeat: not of the common case."""
_TO_HSS: Final = Route.HSS_AS_KNOWN


class FormLearning:
    """Makes forms of requests and of answers."""

    def __init__(
        self,
        requests: Forms,
        answers: Forms,
        ready: ReadySets,
        session_ids: SessionIds,
        refusal_of: Callable[[bytes], bytes],
    ) -> None:
        """Take where forms are kept; ``refusal_of`` makes the answer to a request whose destination is busy."""
        self._requests: Final = requests
        self._answers: Final = answers
        self._ready: Final = ready
        self._session_ids: Final = session_ids
        self._refusal_of: Final = refusal_of

    def request(
        self,
        peer: str,
        pending: Pending,
        system: str,
        source: str,
        as_default: bool,
        limits: Limits | None,
    ) -> None:
        """Look at a request of a migrated user that has gone the whole way.

        Of what limits the peer, only the identities and the moment differ from one such request to the next.
        """
        data, found, lent = pending.asked, pending.found, pending.lent
        if max(len(data), len(pending.sent)) > LEARNT_OCTETS_MAX:
            return
        if lent is None or not is_alike(found) or any(found[slot] for slot in _NOT_LEARNT):
            return
        if not self._requests.may_learn(peer):
            return
        out = pending.sent
        places = locate(out)
        if not is_alike(places) or avp_at(out, places[SIP_AUTH_DATA_ITEM]) != avp_at(data, found[SIP_AUTH_DATA_ITEM]):
            return
        is_to_hss = pending.route is _TO_HSS
        form = request_form(data, found, out, places, 0 if is_to_hss else DIGITS)
        if not is_to_hss and form.names(lent.identities, lent.counterpart):
            return
        domains = ANY_DOMAIN if limits is None else limits.identity_domains
        form.kind = self._ready.kind(pending.route, system, form.user_first, form.is_split, domains)
        form.bucket = limits if limits is not None and limits.requests_per_s else None
        form.maps = not is_to_hss or as_default or not lent.provisioned
        form.candidates = pending.candidates
        form.request_key = (peer, source, MAR)
        form.session_ids_high = self._session_ids.high
        if _made_again(form, data, pending, places) != out[:12] + bytes(4) + out[16:]:
            return
        form.busy = self._busy(data, found)
        self._requests.add(peer, data, form)

    def _busy(self, data: bytes, found: list[int]) -> Template | None:
        """Return the answer that refuses such a request, or None where it is not the common one."""
        refusal = self._refusal_of(data)
        places = locate(refusal)
        if not (is_alike(places) and places[SESSION_ID] and places[USER_NAME] and places[PUBLIC_IDENTITY]):
            return None
        busy = Template(refusal, as_asked(refusal, places), places[USER_NAME] < places[PUBLIC_IDENTITY])
        return busy if answered(busy, data, found, b"") == refusal else None

    def answer(self, peer: str, pending: Pending, data: bytes, out: bytes) -> None:
        """Look at a MAA with a vector that has gone the whole way back."""
        if max(len(data), len(out)) > LEARNT_OCTETS_MAX:
            return
        if out[4] & ERROR:  # no HSS sets it with a vector; ``remembered`` tells refusals of ours by it
            return
        if pending.found[PROXY_INFO] or pending.lent is None or not self._answers.may_learn(peer):
            return
        found, places = locate(data), locate(out)
        if len(found) > SLOTS or len(places) > SLOTS:
            return
        if not (found[SESSION_ID] and found[USER_NAME] and found[PUBLIC_IDENTITY]):
            return
        item = avp_at(data, found[SIP_AUTH_DATA_ITEM])
        if item != avp_at(out, places[SIP_AUTH_DATA_ITEM]):
            return
        form = answer_form(data, found, out, places)
        if form.names(pending.lent.counterpart, pending.lent.identities):
            return
        form.answer_key = (peer, MAR, int.from_bytes(value_at(data, found[RESULT_CODE]), "big"))
        if answered(form.out, pending.asked, pending.found, item) == out:
            self._answers.add(peer, data, form)


def _made_again(form: Form, data: bytes, pending: Pending, places: list[int]) -> bytes:
    """Return a request as the lane would send it, with 0 as its Hop-by-Hop."""
    out = pending.sent
    first, second = user_name_avp(pending.identities[0]), public_identity_avp(pending.identities[1])
    if not form.user_first:
        first, second = second, first
    if not form.kind.is_split:
        first, second = first + second, b""
    values = form.values_of(data)
    session, server = values[form.session_at], b""
    item = values[form.item_at] if form.has_values else b""
    if form.kind.route is not _TO_HSS:
        session = value_at(out, places[SESSION_ID])[-DIGITS:]
    elif places[SERVER_NAME]:
        server = avp_at(out, places[SERVER_NAME])
    octets = sum(map(len, (session, first, second, item, server)))
    made = BytesWriter()
    form.out.write(made, octets, 0, data[16:20], session, first, second, item, server)
    return made.getvalue()
