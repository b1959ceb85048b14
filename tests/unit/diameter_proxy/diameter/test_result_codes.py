"""Result codes and their classes."""

from diameter_proxy.diameter.result_codes import ExperimentalResultCode, ResultCode, is_protocol_error


def test_only_the_class_3xxx_is_a_protocol_error() -> None:
    """RFC 6733 §7.1.3."""
    assert [code for code in ResultCode if is_protocol_error(code)] == [c for c in ResultCode if str(int(c))[0] == "3"]


def test_names_match_the_specification() -> None:
    assert ResultCode.UNABLE_TO_DELIVER == 3002
    assert ExperimentalResultCode.ERROR_ROAMING_NOT_ALLOWED == 5004
