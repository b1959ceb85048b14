"""Each refusal has a stable code of its own, a title, and an HTTP status."""

from mmserver.migration import errors
from mmserver.migration.api import STATUSES


def test_codes_are_stable_names_and_none_stands_twice() -> None:
    refusals = errors.Refusal.__subclasses__()
    codes = [refusal.code for refusal in refusals]
    assert len(set(codes)) == len(codes)
    assert "refused" not in codes
    assert all(code == code.lower() and " " not in code for code in codes)


def test_each_kind_has_its_status() -> None:
    assert set(STATUSES) == set(errors.Kind)
    assert STATUSES[errors.NoFreePartnerSet.kind] == 409
    assert STATUSES[errors.BindingUnknown.kind] == 404
