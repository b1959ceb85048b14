"""Each refusal has a stable name, a status and the step that refuses."""

import pytest

from mmserver.configuration import errors


@pytest.mark.parametrize(
    ("refusal", "name", "status", "step"),
    [
        (errors.TokenForAnotherUser, "token-for-another-user", 403, "10.1.X.1-1"),
        (errors.ForeignIsim, "foreign-isim", 403, "10.1.X.1-1"),
        (errors.IdentityServerUnreachable, "identity-management-server-unreachable", 503, "10.1.X.1-1"),
        (errors.NotAuthorisedForMigration, "not-authorised-for-migration", 403, "10.1.X.1-2"),
        (errors.NoSuitablePartner, "no-suitable-partner", 404, "10.1.X.1-3"),
        (errors.MmsUnreachable, "migration-management-server-unreachable", 503, None),
        (errors.PartnerUnreachable, "partner-unreachable", 504, "10.1.X.1-7"),
        (errors.PrimarySystemNotTrusted, "primary-system-not-trusted", 403, "10.1.X.1-8"),
        (errors.InboundUserRefused, "inbound-user-refused", 403, "10.1.X.1-8"),
        (errors.AnswerNotUsable, "answer-not-usable", 502, None),
        (errors.NoConfigurationData, "no-configuration-data", 502, "10.1.X.1-12"),
        (errors.BindingNotFound, "unknown-binding", 404, None),
    ],
)
def test_each_refusal_is_named(refusal: type[errors.Refusal], name: str, status: int, step: str | None) -> None:
    raised = refusal("why")
    assert (raised.name, raised.status, raised.step, raised.detail) == (name, status, step, "why")


def test_a_step_can_be_told() -> None:
    assert errors.MmsUnreachable(step=4).step == "10.1.X.1-4"


def test_a_refusal_from_elsewhere_says_whose_it_is() -> None:
    raised = errors.RefusedElsewhere("no-free-partner-set", "No free set", 409, "10.1.X.1-10", "the partner")
    assert (raised.name, raised.status, raised.step) == ("no-free-partner-set", 409, "10.1.X.1-10")
    assert raised.detail == "refused by the partner"
