"""A software ISIM: the identities of TS 31.103 and AUTHENTICATE in the IMS AKA context (TS 31.103 §7.1).

It holds its state in memory: after each ``authenticate`` the caller persists ``state`` before it uses the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ue_agent.aka.aka import encode_auts, verify_autn
from ue_agent.aka.errors import SqnOutOfRange, SynchronisationFailure
from ue_agent.aka.milenage import Milenage
from ue_agent.aka.sequence import SequenceNumbers


@dataclass(frozen=True, slots=True)
class AuthenticationResult:
    """RES, CK and IK of an accepted challenge; kept out of ``repr``."""

    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)


class Isim:
    """One card.

    Attributes:
        private_user_identity: EF.IMPI (TS 31.103 §4.2.2).
        home_domain: EF.DOMAIN (TS 31.103 §4.2.3).
        public_user_identities: EF.IMPU, the default one first (TS 31.103 §4.2.4).
        p_cscf: EF.P-CSCF (TS 31.103 §4.2.8).
        sequence_numbers: the array of TS 33.102 Annex C.2.2.
    """

    def __init__(
        self,
        private_user_identity: str,
        public_user_identities: Sequence[str],
        home_domain: str,
        p_cscf: Sequence[str],
        k: bytes,
        opc: bytes,
        state: Sequence[int] | None = None,
    ) -> None:
        """Make a card; ``state`` is what an earlier one's ``state`` gave, None is a new card.

        Raises:
            ValueError: K or OPc is not 16 octets, there is no IMPU, or ``state`` is not the state of a card.
        """
        if not public_user_identities:
            raise ValueError("an ISIM holds at least one public user identity")
        self.private_user_identity = private_user_identity
        self.public_user_identities = tuple(public_user_identities)
        self.home_domain = home_domain
        self.p_cscf = tuple(p_cscf)
        self.sequence_numbers = SequenceNumbers() if state is None else SequenceNumbers(tuple(state))
        self._milenage = Milenage(k, opc)

    @property
    def state(self) -> tuple[int, ...]:
        """What must survive a restart: the SEQ of each IND. No secret."""
        return self.sequence_numbers.array

    def authenticate(self, rand: bytes, autn: bytes) -> AuthenticationResult:
        """Answer a challenge and note its sequence number (TS 33.102 §6.3.3).

        Raises:
            InvalidChallenge: RAND or AUTN is not 16 octets.
            MacFailure: the challenge is not from this card's HSS; the state is unchanged.
            SynchronisationFailure: its SQN is not acceptable; the state is unchanged.
        """
        challenge = verify_autn(self._milenage, rand, autn)
        try:
            self.sequence_numbers = self.sequence_numbers.accept(challenge.sqn)
        except SqnOutOfRange as exc:
            auts = encode_auts(self._milenage, rand, self.sequence_numbers.sqn_ms)
            raise SynchronisationFailure(auts) from exc
        return AuthenticationResult(challenge.res, challenge.ck, challenge.ik)
