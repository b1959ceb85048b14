"""Names and statuses of refusals."""

from lab.systems.mcservice.errors import IdmsUnavailable, Malformed, MethodRefused, NotAuthorised, NotOfTheCore


def test_each_refusal_has_its_name_and_status() -> None:
    found = {(one.name, one.status) for one in (Malformed, NotOfTheCore, MethodRefused, IdmsUnavailable)}
    assert found == {("malformed", 400), ("not-of-the-core", 403), ("method-refused", 405), ("idms-unavailable", 504)}
    refused = NotAuthorised("wrong-audience", "for another server")
    assert (refused.name, refused.status, refused.warning) == (
        "wrong-audience",
        403,
        "101 service authorisation failed",
    )
