"""What the node tells its program when a message cannot go out or no answer comes.

NodeError
├── PeerNotOpen       no such peer, or it is not to be used now
├── PeerCongested     it reads slower than we send: over ``max_unsent_octets`` wait
├── RequestTimeout    no answer within the deadline
├── PeerLost          the connection went down before the answer came
└── ReloadRefused     another identity or other listeners: that takes a restart
"""


class NodeError(Exception):
    """Anything that the node raises toward its program."""


class PeerNotOpen(NodeError):
    """There is no open connection to this peer, or its watchdog does not trust it."""


class PeerCongested(NodeError):
    """More than ``max_unsent_octets`` wait for this peer."""


class RequestTimeout(NodeError):
    """No answer came within the deadline; it may still come, to ``on_answer``."""


class PeerLost(NodeError):
    """The connection went down before the answer came; the request may be sent elsewhere, with the T bit."""


class ReloadRefused(NodeError):
    """What cannot change while the node runs has changed in its configuration; nothing was taken over."""
