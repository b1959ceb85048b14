"""Steps 1 and 2 of 10.1.X.1."""

from typing import Any

import pytest

from mmserver.configuration.authorisation import authorised_users
from mmserver.configuration.errors import ForeignIsim, NotAuthorisedForMigration, Refusal, TokenForAnotherUser

ALICE, CAROL = "sip:alice@mc1.lab", "sip:carol@mc1.lab"


@pytest.fixture
def users(make_config):
    return {user.mc_service_id: user for user in make_config("mc1").users}


def test_a_user_with_a_token_of_their_own_and_their_isim_may_migrate(users, request_of) -> None:
    assert authorised_users(request_of(), {ALICE, "sip:alice.data@mc1.lab"}, users) == (users[ALICE],)


def test_an_isim_may_show_some_of_its_public_user_identities(users, request_of) -> None:
    both = {
        "private_user_identity": "alice@ims.mc1.lab",
        "public_user_identities": ["sip:alice.2@ims.mc1.lab", "sip:alice@ims.mc1.lab"],
    }
    assert authorised_users(request_of(default_identities=both), {ALICE}, users)


@pytest.mark.parametrize(
    ("changes", "token", "refusal"),
    [
        ({}, {CAROL}, TokenForAnotherUser),
        ({}, set(), TokenForAnotherUser),
        ({"mc_service_ids": [ALICE, CAROL]}, {ALICE}, TokenForAnotherUser),
        ({"mc_service_ids": ["sip:nobody@mc1.lab"]}, {"sip:nobody@mc1.lab"}, NotAuthorisedForMigration),
        ({"mc_service_ids": [ALICE, CAROL]}, {ALICE, CAROL}, ForeignIsim),
        (
            {
                "default_identities": {
                    "private_user_identity": "carol@ims.mc1.lab",
                    "public_user_identities": ["sip:carol@ims.mc1.lab"],
                }
            },
            {ALICE},
            ForeignIsim,
        ),
        (
            {
                "default_identities": {
                    "private_user_identity": "alice@ims.mc1.lab",
                    "public_user_identities": ["sip:alice@ims.mc1.lab", "sip:carol@ims.mc1.lab"],
                }
            },
            {ALICE},
            ForeignIsim,
        ),
    ],
)
def test_each_refusal(users, request_of, changes: dict[str, Any], token: set[str], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        authorised_users(request_of(**changes), token, users)


def test_a_user_who_is_not_enabled_for_migration_is_refused_at_step_2(users, request_of) -> None:
    with pytest.raises(NotAuthorisedForMigration) as raised:
        authorised_users(request_of("dave"), {"sip:dave@mc1.lab"}, users)
    assert raised.value.step == "10.1.X.1-2"
