"""The authentication centre: fresh vectors and resynchronisation, one SQN generator a subscriber (TS 33.102 §6.3).

All identity sets of a subscriber draw from one generator, since one ISIM answers for them all. Each serving system has
an IND of its own, so that vectors in flight in two systems do not overtake each other (Annex C.1.2). A serving system
is told apart by the private identity, the Server-Name and the Origin-Host of its MARs: a migrated UE's MARs differ from
the home ones in at least one of them.
"""

import os
from collections import Counter
from collections.abc import Callable

import structlog

from lab.systems.hss.registration import ServingSystem
from lab.systems.hss.store import Store
from lab.systems.hss.subscribers import IdentitySet
from ue_agent.aka.aka import AuthenticationVector, generate_vector, verify_auts
from ue_agent.aka.errors import InvalidChallenge, MacFailure
from ue_agent.aka.sequence import is_next_acceptable, next_sqn

RAND_OCTETS = 16

log = structlog.get_logger()


class AuthenticationCentre:
    """Generates vectors; each call runs inside one transaction of the store.

    Attributes:
        counts: ``vectors``, ``resynchronisations`` (SQN moved), ``resynchronisations_in_range`` (SQN was fine) and
            ``mac_s_failures``.
    """

    def __init__(self, store: Store, random_octets: Callable[[int], bytes] = os.urandom) -> None:
        """Draw RAND from ``random_octets``."""
        self.counts: Counter[str] = Counter()
        self._store = store
        self._random_octets = random_octets

    def vector(self, identities: IdentitySet, asker: ServingSystem) -> AuthenticationVector:
        """Return a fresh vector.

        Raises:
            SqnOutOfRange: the sequence numbers of this K are used up.
        """
        subscriber = identities.subscriber
        sqn_he = self._store.sqn_he(subscriber.name)
        name = " ".join((identities.private_user_identity, asker.server_name, asker.origin_host))
        sqn = next_sqn(sqn_he, self._store.ind_of(subscriber.name, name, sqn_he))
        self._store.put_sqn_he(subscriber.name, sqn)
        self.counts["vectors"] += 1
        return generate_vector(subscriber.milenage, self._random_octets(RAND_OCTETS), sqn, subscriber.amf)

    def resynchronise(self, identities: IdentitySet, sip_authorization: bytes) -> None:
        """Take the ISIM's SQN from RAND || AUTS, unless MAC-S is wrong or our next SQN is fine (TS 33.102 §6.3.5)."""
        subscriber = identities.subscriber
        rand, auts = sip_authorization[:RAND_OCTETS], sip_authorization[RAND_OCTETS:]
        try:
            sqn_ms = verify_auts(subscriber.milenage, rand, auts)
        except (MacFailure, InvalidChallenge):
            self.counts["mac_s_failures"] += 1
            log.warning("resynchronisation.refused", reason="MAC-S is wrong: the SQN stays")
            return
        if is_next_acceptable(self._store.sqn_he(subscriber.name), sqn_ms):
            self.counts["resynchronisations_in_range"] += 1
            return
        self._store.put_sqn_he(subscriber.name, sqn_ms)
        self.counts["resynchronisations"] += 1
        log.info("sequence.resynchronised")
