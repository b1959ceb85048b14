"""Topology hiding toward peers that pass no border of MC systems: names of our inside leave under pseudonyms.

The table of docs/diameter-proxy.md.  Only what a hidden peer is sent, or sends, comes here; CSC-Y has its own rules
(``topology_hiding``).  Nothing is kept: an answer, and a Destination-Host that comes back, tell the real name
themselves (``pseudonyms``).  SIP names and identities are no names of Diameter nodes, and pass.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.wire import HEADER_OCTETS, REQUEST, AvpSpan, encode_avp, encode_message, walk_avps
from diameter_proxy.node.errors import NodeError
from diameter_proxy.peers import Neighbours
from diameter_proxy.routing import Source
from diameter_proxy.settings import Settings

if TYPE_CHECKING:
    from diameter_proxy.pseudonyms import Pseudonyms

_Rewrite = Callable[[bytes, AvpSpan], bytes]

_HOSTS: Final = (d.ROUTE_RECORD, d.DESTINATION_HOST, d.ERROR_REPORTING_HOST, d.PROXY_HOST)
_GROUPS: Final = (d.PROXY_INFO, d.FAILED_AVP)
_TELLING: Final = (d.ERROR_MESSAGE, d.REDIRECT_HOST)
"""Of no use to an outsider where a name of the inside stands in it."""


class NamesNotHidden(NodeError):
    """A message for a hidden peer cannot be read, so that nobody can say what it would tell."""


class HiddenNames:
    """What peers of ours may not learn about the names behind us."""

    def __init__(
        self,
        pseudonyms: "Pseudonyms | None",
        origin_host: str,
        domains: Iterable[bytes],
        neighbours: Neighbours,
    ) -> None:
        """Take the domains of the inside; the names of visible peers are of the inside too."""
        rows = neighbours.by_host.values()
        self._peers: Final = frozenset(row.host for row in rows if row.hides_names)
        self.are_hidden: Final = bool(self._peers)
        """Whether names are hidden from any peer."""
        self._outside: Final = frozenset(host.encode() for host in (origin_host, *self._peers))
        self._inside: Final = frozenset(
            row.host.encode() for row in rows if not row.hides_names and row.source is not Source.PARTNER
        )
        self._domains: Final = tuple(b"." + domain for domain in domains)
        self._own: Final = origin_host.encode()
        self._hiding: Mapping[int, _Rewrite] = {}
        self._restoring: Mapping[int, _Rewrite] = {}
        self._restoring_answers: Mapping[int, _Rewrite] = {}
        if pseudonyms is not None:
            self._set_tables(pseudonyms)

    def _set_tables(self, pseudonyms: "Pseudonyms") -> None:
        def hide(value: bytes) -> bytes:
            return pseudonyms.host(value) if self.is_inside(value) else value

        def hide_session(value: bytes) -> bytes:
            return pseudonyms.session(value) if self._tells_session(value) else value

        def restore(value: bytes) -> bytes:
            return pseudonyms.host_of(value) or value

        def restore_session(value: bytes) -> bytes:
            return pseudonyms.session_of(value) or value

        self._hiding = {
            d.ORIGIN_HOST.code: _value(hide),
            d.SESSION_ID.code: _value(hide_session),
            **{avp.code: _value(hide) for avp in _HOSTS},
            **{avp.code: self._hide_inside for avp in _GROUPS},
            **{avp.code: self._leave_out for avp in _TELLING},
        }
        self._restoring = {
            **{avp.code: _value(restore) for avp in _HOSTS},
            **{avp.code: self._restore_inside for avp in _GROUPS},
        }
        self._restoring_answers = {**self._restoring, d.SESSION_ID.code: _value(restore_session)}

    @property
    def hides_from_anybody(self) -> bool:
        """Whether there is a peer that names are hidden from."""
        return bool(self._peers)

    def leaving(self, peer: str, octets: bytes) -> bytes:
        """Return a message as it leaves to a peer.

        Raises:
            NamesNotHidden: it cannot be read, and the peer is one to hide from.
        """
        return self.hidden(octets) if peer in self._peers else octets

    def hides_from(self, peer: str) -> bool:
        """Say whether names of the inside are hidden from a peer."""
        return peer in self._peers

    def hidden(self, data: bytes) -> bytes:
        """Return a message as a hidden peer may see it.

        Raises:
            NamesNotHidden: it cannot be read.
        """
        try:
            return _rewritten(data, self._hiding)
        except PermanentFailure as exc:
            raise NamesNotHidden(str(exc)) from exc

    def restored(self, peer: str, data: bytes) -> bytes:
        """Return a message of a peer with the real names in it; one that cannot be read is left as it is.

        A request keeps its Session-Id: on Cx nobody goes on with another node's session (TS 29.228 §5.6).
        """
        if peer not in self._peers or len(data) & 3:
            return data
        try:
            return _rewritten(data, self._restoring if data[4] & REQUEST else self._restoring_answers)
        except PermanentFailure:
            return data

    def is_inside(self, host: bytes) -> bool:
        """Say whether a host is one of our own system, and neither ourselves nor hidden from."""
        folded = host.lower()
        return folded not in self._outside and (folded in self._inside or folded.endswith(self._domains))

    def _tells_session(self, session_id: bytes) -> bool:
        host = session_id.partition(b";")[0]
        return host.lower() != self._own and (self.is_inside(host) or self._tells(session_id))

    def _tells(self, octets: bytes) -> bool:
        folded = octets.lower()
        return any(domain in folded for domain in self._domains) or any(host in folded for host in self._inside)

    def _hide_inside(self, octets: bytes, span: AvpSpan) -> bytes:
        try:
            return _group(octets, span, self._hiding)
        except PermanentFailure:
            return self._leave_out(octets, span)

    def _restore_inside(self, octets: bytes, span: AvpSpan) -> bytes:
        try:
            return _group(octets, span, self._restoring)
        except PermanentFailure:
            return octets[span.start : span.next]

    def _leave_out(self, octets: bytes, span: AvpSpan) -> bytes:
        return b"" if self._tells(octets[span.value : span.end]) else octets[span.start : span.next]


def hidden_names(settings: Settings, neighbours: Neighbours) -> HiddenNames:
    """Return what the configuration says; without a peer to hide from, nothing is loaded for it."""
    pseudonyms = None
    if any(row.hides_names for row in neighbours.by_host.values()):
        # cryptography takes 80 ms to load, which a proxy that hides from nobody need not spend
        from diameter_proxy.pseudonyms import Pseudonyms

        pseudonyms = Pseudonyms(settings.origin_host, settings.origin_realm, settings.hiding_keys)
    return HiddenNames(pseudonyms, settings.origin_host, settings.hiding_domains, neighbours)


def _value(change: Callable[[bytes], bytes]) -> _Rewrite:
    def rewrite(octets: bytes, span: AvpSpan) -> bytes:
        value = octets[span.value : span.end]
        changed = change(value)
        if changed == value:
            return octets[span.start : span.next]
        return encode_avp(span.code, changed, flags=span.flags)

    return rewrite


def _group(octets: bytes, span: AvpSpan, table: Mapping[int, _Rewrite]) -> bytes:
    inner = b"".join(_avps(octets, span.value, span.end, table))
    return encode_avp(span.code, inner, flags=span.flags)


def _rewritten(data: bytes, table: Mapping[int, _Rewrite]) -> bytes:
    words = [int.from_bytes(data[at : at + 4], "big") for at in range(0, HEADER_OCTETS, 4)]
    avps = _avps(data, HEADER_OCTETS, len(data), table)
    return encode_message(words[1] >> 24, words[1] & 0xFFFFFF, words[2], words[3], words[4], avps)


def _avps(octets: bytes, start: int, end: int, table: Mapping[int, _Rewrite]) -> list[bytes]:
    kept = []
    for span in walk_avps(octets, start, end):
        rewrite = table.get(span.code) if span.vendor_id == 0 else None
        kept.append(octets[span.start : span.next] if rewrite is None else rewrite(octets, span))
    return kept
