"""Answers that the express lane has given, kept as the octets that went back: a request that comes again gets its own.

All of one read and one form are one object, and none is made for each: what a request has in memory while it waits is
let go of as soon as it is answered.  Runs as plain Python and compiled; ``hot_path`` says which.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from diameter_proxy.splice import PUBLIC_IDENTITY, SESSION_ID, USER_NAME, avp_at, locate, span_at

if TYPE_CHECKING:
    from diameter_proxy.forms import Form

_REQUEST_OR_ERROR = 0xA0
"""The R and the E bit: what else goes to a peer after a read, none of it the answer of an HSS."""


class Remembered:
    """Answers of one read to requests of one form, and with it to one peer.

    Attributes:
        form: that of the requests.
        end_to_ends: their End-to-End Identifiers.
        until_s: until when they are kept.
        items: by End-to-End Identifier the SIP-Auth-Data-Item of a request, where it differs from one to the next.
        octets: all messages that went to that peer after the read, side by side; none before.
    """

    __slots__ = ("end_to_ends", "form", "items", "octets", "until_s")

    def __init__(self, form: "Form", until_s: float) -> None:
        self.form = form
        self.until_s = until_s
        self.end_to_ends: list[bytes] = []
        self.items: dict[bytes, bytes] = {}
        self.octets = b""

    def found(self, end_to_end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield requests with this identifier, as they had come, each with its answer: one, or none before it went.

        The request has the Hop-by-Hop Identifier with which it came; the answer has it too.
        """
        octets, at = self.octets, 0
        while at < len(octets):
            length = int.from_bytes(octets[at + 1 : at + 4], "big")
            if octets[at + 16 : at + 20] == end_to_end and not octets[at + 4] & _REQUEST_OR_ERROR:
                answer = octets[at : at + length]
                yield self._asked(answer), answer
            at += length

    def _asked(self, answer: bytes) -> bytes:
        places = locate(answer)
        value, _, end = span_at(answer, places[SESSION_ID])
        return self.form.octets_of(
            self.form.values_with(
                int.from_bytes(answer[12:16], "big"),
                answer[16:20],
                answer[value:end],
                avp_at(answer, places[USER_NAME]),
                avp_at(answer, places[PUBLIC_IDENTITY]),
                self.items.get(answer[16:20], b""),
            )
        )
