"""Who may log in, and from which client."""

import pytest

from lab.systems.idms.config import Client
from lab.systems.idms.errors import InvalidClient, InvalidGrant
from lab.systems.idms.users import redirect_uri_is_registered


def test_the_right_password_gives_the_user(primary) -> None:
    assert primary.registrations.authenticate("alice", "alice-secret").name == "alice"
    assert primary.registrations.user("alice") is not None
    assert primary.registrations.mc_service_ids == {"sip:alice@mc1.lab"}


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong"), ("nobody", "alice-secret"), ("", ""), ("alice", "\ud800")]
)
def test_a_wrong_name_and_a_wrong_password_read_alike(primary, name: str, password: str) -> None:
    with pytest.raises(InvalidGrant, match=r"^user name or password is wrong$"):
        primary.registrations.authenticate(name, password)


def test_an_unknown_client_is_refused(primary) -> None:
    assert primary.registrations.client("mc-client").client_id == "mc-client"
    with pytest.raises(InvalidClient):
        primary.registrations.client("other")


@pytest.mark.parametrize(
    ("uri", "registered"),
    [
        ("mcclient:/callback", True),
        ("http://127.0.0.1/cb", True),
        ("http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1:51004/other", False),
        ("http://127.0.0.1:99999999/cb", False),
        ("http://127.0.0.2/cb", False),
        ("http://10.0.0.1:80/cb", False),
        ("https://127.0.0.1/cb", False),
        ("http://[::1", False),
        ("mcclient:/callback2", False),
        ("", False),
    ],
)
def test_only_the_port_of_a_loopback_redirect_uri_is_free(uri: str, registered: bool) -> None:
    """RFC 8252 §7.3."""
    client = Client(client_id="c", redirect_uris=("mcclient:/callback", "http://127.0.0.1/cb"))
    assert redirect_uri_is_registered(client, uri) is registered
