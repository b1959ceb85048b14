"""Errors carry what the answer needs."""

from diameter_proxy.diameter.errors import (
    AnswerableError,
    DiameterError,
    FramingLost,
    PermanentFailure,
    ProtocolFailure,
)


def test_answerable_errors_carry_code_and_avp() -> None:
    error = PermanentFailure(5005, "User-Name is missing", b"avp")
    assert (error.code, error.failed_avp, str(error)) == (5005, b"avp", "User-Name is missing")
    assert ProtocolFailure(3008, "bits").failed_avp == b""


def test_tree_is_as_drawn() -> None:
    assert issubclass(PermanentFailure, AnswerableError)
    assert issubclass(AnswerableError, DiameterError)
    assert not issubclass(FramingLost, AnswerableError)


def test_framing_loss_keeps_the_messages_before_it() -> None:
    loss = FramingLost("why")
    assert (loss.messages, loss.header, loss.code) == ((), b"", None)
