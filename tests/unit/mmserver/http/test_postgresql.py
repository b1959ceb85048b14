"""Connections to PostgreSQL: bounded, to the primary, and as the URL says where it says something."""

from mmserver.http.postgresql import connection_arguments


def test_every_wait_is_bounded_and_a_stand_by_is_refused() -> None:
    arguments = connection_arguments((), 2.5)
    assert (arguments["connect_timeout"], arguments["tcp_user_timeout"]) == (3, 10_000)
    assert arguments["options"] == "-c lock_timeout=2500 -c idle_in_transaction_session_timeout=10000"
    assert arguments["target_session_attrs"] == "read-write"


def test_what_the_url_names_is_the_urls() -> None:
    arguments = connection_arguments({"target_session_attrs": "any", "connect_timeout": "10", "sslmode": "require"})
    assert not {"target_session_attrs", "connect_timeout", "sslmode", "options"} & arguments.keys()
    assert arguments["keepalives_idle"] == 5
