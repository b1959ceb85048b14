"""A withdrawal as administrators see it."""

from mmserver.messages import Role
from mmserver.migration.api_withdrawals import _status
from mmserver.migration.store_withdrawals import WithdrawalRow
from mmserver.migration.user_withdrawals import Progress


def test_an_agreement_names_no_user() -> None:
    row = WithdrawalRow("w-1", Role.PRIMARY, "mc1", "", 0.0, "admin", "because")
    status = _status(Progress(row, 1, 5, 1, 2, 1, ("proxy1",)))
    assert status.mc_service_id is None
    assert (status.remaining, status.disabled, status.pending, status.confirmed, status.unconfirmed) == (1, 5, 1, 2, 1)
    assert (status.by, status.reason, status.proxies_behind) == ("admin", "because", ("proxy1",))
