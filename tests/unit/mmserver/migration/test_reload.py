"""What of a new file is put in force over a running one, and what waits."""

from collections.abc import Callable

import pytest

from mmserver.http.settings import ConfigError
from mmserver.migration.config import MmsConfig
from mmserver.migration.errors import ReloadRefused
from mmserver.migration.reload import Reload, effective

MakeConfig = Callable[..., MmsConfig]


def test_agreements_pools_and_ca_are_taken_at_once_and_the_rest_waits(make_config: MakeConfig) -> None:
    old = make_config()
    partners = [old.partners[0].model_copy(update={"services": ("mcptt",)})]
    new = old.model_copy(update={"partners": tuple(partners)})
    assert effective(old, new) == (new, ())
    sweep = old.lifetime.model_copy(update={"sweep_s": 7.0})
    config, later = effective(old, new.model_copy(update={"lifetime": sweep}))
    assert (config, later) == (new, ("lifetime.sweep_s",))
    port = new.http.model_copy(update={"port": 8443, "client_ca": old.tls.certificate})
    config, later = effective(old, new.model_copy(update={"http": port}))
    assert (config.http.port, config.http.client_ca, later) == (old.http.port, old.tls.certificate, ("http.port",))


def test_what_needs_something_that_waits_is_refused(make_config: MakeConfig) -> None:
    old = make_config()
    asking = old.allocation.primary.model_copy(update={"mode": "sip-database"})
    allocation = old.allocation.model_copy(update={"primary": asking})
    with pytest.raises(ConfigError, match=r"sip_database: .* restart to add it"):
        effective(old, old.model_copy(update={"allocation": allocation}))
    partner = old.allocation.partner.model_copy(update={"prefix": "x-"})
    with pytest.raises(ConfigError, match=r"allocation\.partner\.prefix"):
        effective(old, old.model_copy(update={"allocation": old.allocation.model_copy(update={"partner": partner})}))


async def test_without_a_file_there_is_nothing_to_read_again(make_config: MakeConfig) -> None:
    nothing: object = None
    reload = Reload(make_config(), None, **dict.fromkeys(PARTS, nothing))  # type: ignore[arg-type]
    with pytest.raises(ReloadRefused, match="no file"):
        await reload.run("admin")
    await reload.on_signal()


PARTS = ("store", "agreements", "server", "metrics", "cx", "trust", "context")
