"""Answers that the express lane has given, kept as the octets that went back: a request that comes again gets its own.

All of one read are one object.  Of each only its End-to-End Identifier is held besides, so that what a request has in
memory while it waits is let go of as soon as it is answered.

Runs as plain Python and compiled; ``hot_path`` says which.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from diameter_proxy.splice import PUBLIC_IDENTITY, SESSION_ID, USER_NAME, avp_at, locate, span_at

if TYPE_CHECKING:
    from diameter_proxy.forms import Form

_REQUEST_OR_ERROR: Final = 0xA0
"""Requests and refusals of ours go out in the same write; the lane learns no answer that has the E bit."""


class Remembered:
    """The answers of one read.

    Attributes:
        until_s: until when they are kept.
        end_to_ends: their End-to-End Identifiers, and ``forms`` those of the requests, one by one.
        items: by End-to-End Identifier the SIP-Auth-Data-Item of a request, where it differs from one to the next.
        written: what went out after the read to each peer that got an answer, side by side; nothing before.  There may
            be other messages in it.
    """

    __slots__ = ("end_to_ends", "forms", "items", "until_s", "written")

    def __init__(self, until_s: float) -> None:
        self.until_s = until_s
        self.end_to_ends: list[bytes] = []
        self.forms: list[Form] = []
        self.items: dict[bytes, bytes] = {}
        self.written: list[bytes] = []

    def found(self, end_to_end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the request with this identifier, as it had come, and its answer; nothing where that did not go out."""
        form = self.forms[self.end_to_ends.index(end_to_end)]
        for octets in self.written:
            at = 0
            while at < len(octets):
                length = int.from_bytes(octets[at + 1 : at + 4], "big")
                if octets[at + 16 : at + 20] == end_to_end and not octets[at + 4] & _REQUEST_OR_ERROR:
                    answer = octets[at : at + length]
                    yield self._asked(form, answer), answer
                at += length

    def _asked(self, form: "Form", answer: bytes) -> bytes:
        """Return what was answered so: Hop-by-Hop, Session-Id and both identities go back as they had come."""
        places = locate(answer)
        value, _, end = span_at(answer, places[SESSION_ID])
        return form.octets_of(
            form.values_with(
                int.from_bytes(answer[12:16], "big"),
                answer[16:20],
                answer[value:end],
                avp_at(answer, places[USER_NAME]),
                avp_at(answer, places[PUBLIC_IDENTITY]),
                self.items.get(answer[16:20], b""),
            )
        )
