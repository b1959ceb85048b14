"""What a program may catch."""

import pytest

from diameter_proxy.node import errors


@pytest.mark.parametrize("error", [errors.PeerNotOpen, errors.PeerCongested, errors.RequestTimeout, errors.PeerLost])
def test_everything_toward_the_program_is_a_node_error(error: type[Exception]) -> None:
    assert issubclass(error, errors.NodeError)
