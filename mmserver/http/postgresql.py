"""How both servers connect to PostgreSQL: every wait is bounded, and of several hosts the primary is used.

A store's URL may name more (``?sslmode=verify-full``), and whatever it names itself stays as it is there.
"""

from collections.abc import Collection
from typing import Any, Final

CONNECT_S: Final = 3
"""For each host of the URL."""
SILENCE_MS: Final = 10_000
"""A server that has not acknowledged octets for so long is gone."""
IDLE_IN_TRANSACTION_MS: Final = 10_000
"""An instance that stops in the middle of a transaction (paused, cut off) loses it, and the lock with it."""


def connection_arguments(named: Collection[str], busy_timeout_s: float | None = None) -> dict[str, Any]:
    """Return libpq's parameters for a connection, but for those ``named`` in the URL.

    A stand-by is refused, and the next host tried: what it shows may be old, and it takes no write.  Which of them is
    the primary is found anew with each connection, so a stand-by that was promoted is used without a restart.
    """
    arguments: dict[str, Any] = {
        "target_session_attrs": "read-write",
        "connect_timeout": CONNECT_S,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": SILENCE_MS,
    }
    if busy_timeout_s is not None:
        settings = {
            "lock_timeout": int(busy_timeout_s * 1000),
            "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS,
        }
        arguments["options"] = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return {name: value for name, value in arguments.items() if name not in named}
