"""What can be refused before any server is asked (10.6.2 step 1)."""

import pytest

from mmserver.messages import IdentitySet
from ue_agent.authentication import authenticate_at_partner, client_of
from ue_agent.config import UserTable
from ue_agent.errors import UsageError
from ue_agent.store import SystemEntry


class Config:
    user = UserTable(mc_service_ids=("sip:a@b",), username="a", password="pass word", client_id="c")


async def test_a_partner_without_initial_ue_configuration() -> None:
    identities = IdentitySet(private_user_identity="m@d", public_user_identities=("sip:m@d",))
    entry = SystemEntry(mc_system="mc2", role="partner", identities=identities, home_domain="d", p_cscf=("sip:h",))
    with pytest.raises(UsageError, match="no initial UE configuration of mc2"):
        await authenticate_at_partner(Config, entry, "token")


def test_the_password_is_kept_out_of_repr() -> None:
    client = client_of(Config)
    assert (client.username, client.password) == ("a", "pass word") and "pass word" not in repr(client)
