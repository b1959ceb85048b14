"""Who asks is who the certificate names."""

from fastapi import Request

from mmserver.migration.api_actor import actor_of


def request(*names: str) -> Request:
    return Request({"type": "http", "extensions": {"tls": {"client_names": frozenset(names)}}})


def test_the_names_of_the_certificate_are_the_actor() -> None:
    assert actor_of(request("b.lab", "a.lab")) == "a.lab,b.lab"
    assert actor_of(request()) == "nobody"
