"""Why the configuration management server refuses, and at which step of 10.1.X.1.

    Refusal                              carries name, title, status, step, detail
        TokenForAnotherUser        -1    the token is not the requesting MC user's
        ForeignIsim                -1    the SIP identities are not registered for that MC user
        IdentityServerUnreachable  -1
        NotAuthorisedForMigration  -2
        NoSuitablePartner          -3
        MmsUnreachable             -4, -9
        PartnerUnreachable         -7
        PeerOverloaded             -4, -7, -9    one of these two has too much to do, or from us
        PrimarySystemNotTrusted    -8    unknown, no agreement in force, or a foreign migration management server
        InboundUserRefused         -8
        OwnMcServiceId             -8    an inbound user with an MC service ID of our own
        AnswerNotUsable            -6, -11, -12
        NoConfigurationData        -12
        BindingNotFound                  withdrawal or confirmation of what is not there
        StillWithdrawn                   restoring what the partner has withdrawn too
        WithdrawalsForAdministrators     our migration management server takes them from its administrators only
        StoreUnavailable, NoStore, EntryInFile, EntryNotFound, EntryNotUsable, ReloadRefused     of the admin API
        RefusedElsewhere                 the migration management server or the partner refused; passed on

``detail`` never holds a SIP identity or a token: it reaches the UE.
"""

from typing import TYPE_CHECKING, Final

from mmserver.http.problems import OVERLOADED

if TYPE_CHECKING:
    from mmserver.configuration.selection import Considered

STEP: Final = "10.1.X.1-"


class Refusal(Exception):
    """A request is refused.

    Attributes:
        name: stable name of the problem (``urn:mc-migration:problem:NAME``).
        status: HTTP status of the answer.
        step: step of 10.1.X.1 that refuses.
    """

    name = "refused"
    title = "The request is refused"
    status = 403
    step: str | None = None

    def __init__(self, detail: str = "", *, step: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if step is not None:
            self.step = f"{STEP}{step}"


class TokenForAnotherUser(Refusal):
    """The MC service IDs of the request are not all in the access token."""

    name = "token-for-another-user"
    title = "The access token is for another MC service user"
    step = STEP + "1"


class ForeignIsim(Refusal):
    """A token of one user never opens another's ISIM."""

    name = "foreign-isim"
    title = "The SIP identities are not registered for that MC service user"
    step = STEP + "1"


class IdentityServerUnreachable(Refusal):
    """The token cannot be judged now."""

    name = "identity-management-server-unreachable"
    title = "The access token cannot be verified now"
    status = 503
    step = STEP + "1"


class NotAuthorisedForMigration(Refusal):
    """Step 2."""

    name = "not-authorised-for-migration"
    title = "The MC service user is not authorised for migration"
    step = STEP + "2"


class NoSuitablePartner(Refusal):
    """Step 3 has no outcome in the specification when nothing suits; this is ours."""

    name = "no-suitable-partner"
    title = "No suitable partner MC system"
    status = 404
    step = STEP + "3"

    def __init__(self, detail: str = "", *, considered: "tuple[Considered, ...]" = ()) -> None:
        super().__init__(detail)
        self.considered = considered


class MmsUnreachable(Refusal):
    """Our own migration management server does not answer."""

    name = "migration-management-server-unreachable"
    title = "The migration management server cannot be reached"
    status = 503


class PartnerUnreachable(Refusal):
    """The partner's configuration management server does not answer in time."""

    name = "partner-unreachable"
    title = "The partner MC system cannot be reached"
    status = 504
    step = STEP + "7"


class PeerOverloaded(Refusal):
    """Our migration management server, or the partner, has too much to do now, or too many requests of ours."""

    name = OVERLOADED.name
    title = OVERLOADED.title
    status = OVERLOADED.status


class PrimarySystemNotTrusted(Refusal):
    """Step 8: the requesting primary MC system."""

    name = "primary-system-not-trusted"
    title = "The primary MC system is not authorised for migration to this MC system"
    step = STEP + "8"


class InboundUserRefused(Refusal):
    """Step 8: the MC service user of the primary MC system."""

    name = "inbound-user-refused"
    title = "The MC service user is not authorised for migration to this MC system"
    step = STEP + "8"


class OwnMcServiceId(Refusal):
    """A partner names an MC service ID of our own: nobody comes in as one of our users."""

    name = "own-mc-service-id"
    title = "The MC service ID is one of this MC system"
    step = STEP + "8"


class AnswerNotUsable(Refusal):
    """What came back is not what the step wants."""

    name = "answer-not-usable"
    title = "An answer within the procedure cannot be used"
    status = 502


class NoConfigurationData(Refusal):
    """Neither did step 12 bring initial UE configuration data nor is any configured (NOTE 2)."""

    name = "no-configuration-data"
    title = "No initial UE configuration data of the partner MC system"
    status = 502
    step = STEP + "12"


class BindingNotFound(Refusal):
    """There is no such binding to confirm, release or withdraw."""

    name = "unknown-binding"
    title = "No such binding"
    status = 404


class StillWithdrawn(Refusal):
    """The partner has withdrawn it on its own account: the primary cannot restore that."""

    name = "still-withdrawn"
    title = "A withdrawal stands over the binding"
    status = 409


class WithdrawalsForAdministrators(Refusal):
    """Our migration management server takes withdrawals from its administrators, and we are none of them."""

    name = "withdrawals-for-administrators"
    title = "Withdrawals are for administrators of the migration management server"

    def __init__(self) -> None:
        super().__init__(
            "withdraw and restore there (mmserver migration withdraw, restore), and partners are told from here; "
            "or add the name of this server to http.clients.administrators of its mms.toml"
        )


class StoreUnavailable(Refusal):
    """The store cannot be used now; nothing was changed."""

    name = "store-unavailable"
    title = "The store cannot be used now"
    status = 503


class NoStore(Refusal):
    """Data over the API needs a store, or it would be gone after a restart."""

    name = "no-store"
    title = "This server has no store"
    status = 409


class EntryInFile(Refusal):
    """A name in the configuration file belongs to the file."""

    name = "in-configuration-file"
    title = "The entry stands in the configuration file"
    status = 409


class EntryNotFound(Refusal):
    """There is no such user, group or agreement."""

    name = "unknown-entry"
    title = "No such entry"
    status = 404


class EntryNotUsable(Refusal):
    """It contradicts another entry, or cannot be read."""

    name = "entry-not-usable"
    title = "The entry cannot be put in force"
    status = 422


class ReloadRefused(Refusal):
    """The new configuration file cannot be used: the old one stays in force."""

    name = "reload-refused"
    title = "The configuration file cannot be put in force"
    status = 409


class RefusedElsewhere(Refusal):
    """The migration management server or the partner refused, and named its step."""

    def __init__(self, name: str, title: str, status: int, step: str | None, by: str) -> None:
        super().__init__(f"refused by {by}")
        self.name = name
        self.title = title
        self.status = status
        self.step = step
        self.by = by
