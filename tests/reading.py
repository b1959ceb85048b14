"""Have a connection read octets, as a transport does."""

from diameter_proxy.node.connection import Connection


def read(connection: Connection, octets: bytes) -> None:
    """Put octets where the connection wants them, and tell it how many there are."""
    room = connection.get_buffer(-1)
    room[: len(octets)] = octets
    connection.buffer_updated(len(octets))
