"""The admin socket's client: who cannot be asked is said so."""

import pytest

from diameter_proxy.admin import AdminError, ask


def test_nobody_there_is_an_admin_error(tmp_path):
    with pytest.raises(AdminError, match="No such file"):
        ask(tmp_path / "none.sock", "peers")
