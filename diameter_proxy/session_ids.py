"""Session-Ids of our own for requests over CSC-Y: ``ORIGIN-HOST;high;low``, each of which stands once (RFC 6733 §8.8).

They tell nothing of the S-CSCF's, which is restored from the pending request.  Both numbers have ten digits, so that
all these AVPs are of one length.  Runs as plain Python and compiled; ``hot_path`` says which.
"""

from hashlib import blake2b
from typing import Final

DIGITS: Final = 10
_FIRST: Final = 10 ** (DIGITS - 1)
_END: Final = 1 << 32
_LAST_THREE: Final = [b"%03d" % number for number in range(1000)]


class SessionIds:
    """Draws them; where the low numbers are at an end, the high one goes up."""

    def __init__(self, origin_host: str, secret: bytes) -> None:
        """Take our name, and a secret of this run, which tells where to begin."""
        seed = blake2b(secret, digest_size=16).digest()
        self._origin_host: Final = origin_host
        self.high = _begin(seed[:8])
        self._low = _begin(seed[8:])
        self._leading = b""

    def text(self) -> str:
        """Return the next one."""
        digits = self.next_digits(self.high)
        if not digits:
            self.high = _FIRST + (self.high - _FIRST + 1) % (_END - _FIRST)
            self._low = _FIRST
            self._leading = b""
            digits = self.next_digits(self.high)
        return f"{self._origin_host};{self.high};{digits.decode()}"

    def next_digits(self, high: int) -> bytes:
        """Return the next low number as it is written; empty where there is none left, or the high one is another."""
        low = self._low
        if high != self.high or low >= _END:
            return b""
        self._low = low + 1
        last = low % 1000
        if not last or not self._leading:
            self._leading = b"%d" % (low // 1000)
        return self._leading + _LAST_THREE[last]


def _begin(octets: bytes) -> int:
    return _FIRST + int.from_bytes(octets, "big") % (_END - _FIRST)
