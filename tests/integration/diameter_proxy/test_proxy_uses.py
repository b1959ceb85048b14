"""The primary's proxy tells its MMS the first use of a primary set (10.6.2 step 9); the rest is given back."""

import contextlib

import pytest

from diameter_proxy.diameter import dictionary as d
from mmserver.messages import BindingState, PrimarySipIdentitiesRequest
from mmserver.migration.config import load_config
from mmserver.migration.schema.upgrade import upgrade
from mmserver.migration.service import Service

CONFIG = """
[system]
name = "mc1"
identifier = "mms.mc1.lab"
home_domain = "ims.mc1.lab"

[http]
address = "127.0.0.1"
port = 0
clients.csc_x = ["cms.mc1.lab"]
clients.feed = ["proxy1.mc1.lab"]
client_ca = "{ca}"

[tls]
certificate = "{certificate}"
private_key = "{private_key}"

[diameter]
origin_host = "mms.mc1.lab"
origin_realm = "ims.mc1.lab"
address = "127.0.0.1"
port = 0
peers = ["proxy1.mc1.lab"]
scscf = ["sip:scscf.mc1.lab:6060"]

[store]
url = "sqlite+aiosqlite:///{folder}/mms.sqlite"

[lifetime]
unused_s = 4
sweep_s = 0.1

[[partners]]
name = "mc2"
realms = ["ims.mc2.lab"]
migration_management_servers = ["mms.mc2.lab"]
"""


@pytest.fixture
async def mms(lab, tmp_path):
    """A whole MMS of mc1, the primary."""
    file = tmp_path / "mms.toml"
    tls = lab.certificate("mc1", "localhost")
    file.write_text(CONFIG.format(ca=lab.authority("mc1"), folder=tmp_path, **tls))
    config = load_config(file)
    upgrade(config.store.url)
    async with Service(config) as service:
        yield service


async def lend(mms, user):
    request = PrimarySipIdentitiesRequest(
        mc_service_ids=[f"sip:{user}@mc1.lab"],
        default_identities={
            "private_user_identity": f"{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:{user}@ims.mc1.lab"],
        },
        partner_mc_system="mc2",
    )
    held = await mms.server.get_primary_sip_identities(request, "cms.mc1.lab")
    return await mms.server.confirm(held.handle, "", "cms.mc1.lab")


async def audit_of(mms, binding):
    async with mms.store.reading() as transaction:
        return [row["event"] for row in await transaction.audit_trail(binding.handle)]


async def test_what_was_used_stays_and_what_was_not_is_given_back(migration, mms, tools):
    port = mms.http.listen.rpartition(":")[2]
    migration.proxy1_in_step = contextlib.nullcontext().__aenter__  # it follows the real MMS, not the small one
    lab = await migration.start(mc1={"feed": {"url": f"https://localhost:{port}"}})

    async def reported():
        async with mms.store.reading() as transaction:
            return "proxy1.mc1.lab" in await transaction.uses.all()

    await tools.until_async(reported)
    used, never = await lend(mms, "alice"), await lend(mms, "bob")
    theirs = (used.identities.private_user_identity, *used.identities.public_user_identities)
    lab.feed2.lend("p1", "partner", "mc1", lab.PARTNER_SET[:2], theirs)
    await tools.until(lambda: lab.proxy2.proxy.identities.version == lab.feed2.version)
    await tools.until(lambda: used.handle in lab.proxy1.proxy.identities.bindings)
    assert (await lab.ask(lab.mar())).get(d.RESULT_CODE) == 2001

    async def is_given_back():
        return (await mms.server.get(never.handle)).state is BindingState.QUARANTINED

    await tools.until_async(is_given_back, deadline_s=60)
    assert (await audit_of(mms, never))[-1] == "binding.unused"
    assert (await mms.server.get(used.handle)).state is BindingState.ALLOCATED
    assert (await audit_of(mms, used))[-1] == "binding.used"
    await tools.until(lambda: never.handle not in lab.proxy1.proxy.identities.bindings)


async def test_a_use_that_the_mms_could_not_take_is_told_when_it_is_back(migration, tools):
    lab = await migration.start()
    lab.feed1.is_down = True
    for _ in range(2):
        assert (await lab.ask(lab.mar())).get(d.RESULT_CODE) == 2001
    assert not any(report["bindings"] for report in lab.feed1.uses)
    lab.feed1.is_down = False
    await tools.until(lambda: any(report["bindings"] for report in lab.feed1.uses), 20)
    told = [report for report in lab.feed1.uses if report["bindings"]]
    assert [(report["proxy"], report["bindings"]) for report in told] == [(lab.P1, ["h1"])]
    assert told[0]["complete_for_s"] > 0  # nothing was lost meanwhile
    assert not any(report["bindings"] for report in lab.feed2.uses)  # the partner has its registrations


async def test_a_refused_user_has_used_nothing(migration, tools):
    lab = await migration.start()
    lab.hss.answer = lambda message: lab.hss.success(message, experimental=5001)
    reports = len(lab.feed1.uses)
    assert (await lab.ask(lab.mar())).result() == (10415, 5001)
    lab.hss.answer = lab.hss.multimedia_auth
    lab.feed1.lend("h2", "primary", "mc2", ("mig-x@ims.mc1.lab", "sip:mig-x@ims.mc1.lab"), lab.DEFAULT_SET[:2])
    lab.feed2.lend("p2", "partner", "mc1", ("mig-y@ims.mc2.lab", "sip:mig-y@ims.mc2.lab"),
                   ("mig-x@ims.mc1.lab", "sip:mig-x@ims.mc1.lab"))  # fmt: skip
    await lab.in_step()
    assert (await lab.ask(lab.mar("mig-y@ims.mc2.lab", "sip:mig-y@ims.mc2.lab"))).get(d.RESULT_CODE) == 2001
    await tools.until(lambda: any(report["bindings"] for report in lab.feed1.uses[reports:]))
    assert [report["bindings"] for report in lab.feed1.uses if report["bindings"]] == [["h2"]]
