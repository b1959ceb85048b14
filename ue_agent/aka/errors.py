"""What can go wrong in AKA.

    AkaError
    ├── MacFailure               the other side does not hold our K, or the octets were changed (peer's)
    ├── SqnOutOfRange            the sequence number is not fresh, jumps too far, or is used up (peer's)
    ├── SynchronisationFailure   the ISIM's answer to it: AUTS for the HSS (peer's)
    └── InvalidChallenge         octets or text that no challenge can have (peer's)

Lengths of our own arguments (K, OPc, RAND, AMF) are a caller's mistake: ValueError. No message holds a key.
"""


class AkaError(Exception):
    """Anything in this leaf that the peer's octets can bring about."""


class MacFailure(AkaError):
    """MAC-A of an AUTN, or MAC-S of an AUTS, is not the expected one (TS 33.102 §6.3.3, §6.3.5)."""


class SqnOutOfRange(AkaError):
    """A sequence number is not acceptable to the ISIM, or the HSS has none left (TS 33.102 Annex C)."""


class SynchronisationFailure(AkaError):
    """The challenge is genuine but its sequence number is not acceptable (TS 33.102 §6.3.3).

    Attributes:
        auts: 14 octets to return to the HSS.
    """

    def __init__(self, auts: bytes) -> None:
        """Keep ``auts`` for the answer."""
        super().__init__("the sequence number of AUTN is not in the correct range")
        self.auts = auts


class InvalidChallenge(AkaError):
    """A nonce, AUTN or AUTS of a wrong form or length (RFC 3310 §3.2, TS 33.102 §6.3)."""
