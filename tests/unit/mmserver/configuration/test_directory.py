"""The catalogue in force and how it changes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from mmserver.configuration.catalogue import Entry, Kind
from mmserver.configuration.config import CmsConfig
from mmserver.configuration.directory import Directory
from mmserver.configuration.errors import (
    EntryInFile,
    EntryNotFound,
    EntryNotUsable,
    NoStore,
    ReloadRefused,
    StoreUnavailable,
)
from mmserver.configuration.terms import Group, Partner, User
from mmserver.http.settings import ConfigError
from tests.waiting import until

ERIN = User(mc_service_id="sip:erin@mc1.lab", migration=True)


class Entries:
    """A store that two directories can share, and that can fail."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Kind, str], Entry] = {}
        self.v = 0
        self.down = False

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable("gone")

    async def version(self) -> int:
        self._check()
        return self.v

    async def entries(self) -> tuple[int, list[Entry]]:
        self._check()
        return self.v, list(self.rows.values())

    async def put(self, entry: Entry) -> int:
        self._check()
        self.v += 1
        self.rows[entry.kind, entry.name] = entry
        return self.v

    async def remove(self, entry: Entry) -> bool:
        self._check()
        self.v += 1
        return self.rows.pop((entry.kind, entry.name), None) is not None


@pytest.fixture
def entries() -> Entries:
    return Entries()


@pytest.fixture
def make(make_config, partner, entries: Entries) -> Callable[..., Directory]:
    def make_one(**changes: Any) -> Directory:
        return Directory(make_config("mc1", partner("mc2")), **{"store": entries, **changes})

    return make_one


async def test_what_is_set_is_in_force_and_survives(make, entries: Entries) -> None:
    await make().set(ERIN, Kind.USER, "admin")
    again = make()
    await again.start()
    assert again.current.users["sip:erin@mc1.lab"].migration
    assert entries.rows[Kind.USER, "sip:erin@mc1.lab"].actor == "admin"
    await again.remove(Kind.USER, "sip:erin@mc1.lab", "admin")
    assert "sip:erin@mc1.lab" not in again.current.users
    assert entries.rows == {}


async def test_another_instance_sees_it(make) -> None:
    first, second = make(), make()
    await second.start()
    await first.set(ERIN, Kind.USER, "admin")
    await second.refresh()
    assert "sip:erin@mc1.lab" in second.current.users
    await first.remove(Kind.USER, "sip:erin@mc1.lab", "admin")
    await second.refresh()
    assert "sip:erin@mc1.lab" not in second.current.users


async def test_a_store_that_was_away_is_read_whole(make, entries: Entries) -> None:
    """A stand-by took over that had lost the newest change, and another one has its version."""
    directory = make()
    await directory.set(ERIN, Kind.USER, "admin")
    with structlog.testing.capture_logs() as logs:
        watching = asyncio.create_task(directory.watch(0.001))
        entries.down = True
        await until(lambda: "store.unavailable" in [entry["event"] for entry in logs])
        entries.rows, entries.down = {}, False  # at the same version
        await until(lambda: "sip:erin@mc1.lab" not in directory.current.users)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_the_file_s_entries_are_read_only(make, entries: Entries) -> None:
    directory = make()
    alice = directory.current.users["sip:alice@mc1.lab"]
    with pytest.raises(EntryInFile):
        await directory.set(alice.model_copy(update={"migration": False}), Kind.USER, "admin")
    with pytest.raises(EntryInFile):
        await directory.remove(Kind.AGREEMENT, "mc2", "admin")
    assert directory.current.users["sip:alice@mc1.lab"].migration
    assert entries.v == 0


async def test_what_would_be_taken_can_be_found_out_first(make, entries: Entries, partner, files) -> None:
    directory = make()
    directory.require_usable(ERIN, Kind.USER)
    with pytest.raises(EntryInFile):
        directory.require_usable(directory.current.users["sip:alice@mc1.lab"], Kind.USER)
    mc3 = Partner.model_validate(partner("mc3", ca=(files / "ca.pem").read_text(), outbound_groups=["none"]))
    with pytest.raises(EntryNotUsable, match="no such group: none"):
        directory.require_usable(mc3, Kind.AGREEMENT)
    with pytest.raises(NoStore):
        make(store=None).require_usable(ERIN, Kind.USER)
    assert (entries.v, "sip:erin@mc1.lab" in directory.current.users) == (0, False)


async def test_without_a_store_nothing_is_taken_that_a_restart_would_lose(make) -> None:
    directory = make(store=None)
    with pytest.raises(NoStore):
        await directory.set(ERIN, Kind.USER, "admin")
    await directory.refresh()
    assert "sip:erin@mc1.lab" not in directory.current.users


async def test_a_store_that_fails_leaves_what_was_in_force(make, entries: Entries) -> None:
    directory = make()
    await directory.start()
    entries.down = True
    with pytest.raises(StoreUnavailable):
        await directory.set(ERIN, Kind.USER, "admin")
    with pytest.raises(StoreUnavailable):
        await directory.refresh()
    assert "sip:erin@mc1.lab" not in directory.current.users
    entries.down = False
    await directory.set(ERIN, Kind.USER, "admin")
    assert "sip:erin@mc1.lab" in directory.current.users


async def test_what_others_need_cannot_go(make, entries: Entries, partner, files) -> None:
    directory = make()
    await directory.set(Group(name="crew", members=()), Kind.GROUP, "admin")
    mc3 = Partner.model_validate(partner("mc3", ca=(files / "ca.pem").read_text(), outbound_groups=["crew"]))
    await directory.set(mc3, Kind.AGREEMENT, "admin")
    with pytest.raises(EntryNotUsable, match="no such group: crew"):
        await directory.remove(Kind.GROUP, "crew", "admin")
    with pytest.raises(EntryNotFound):
        await directory.remove(Kind.GROUP, "nobody", "admin")
    with pytest.raises(EntryNotFound):
        directory.get(Kind.GROUP, "nobody")
    assert directory.get(Kind.GROUP, "crew").item == Group(name="crew", members=())


async def test_half_a_surrogate_pair_is_the_callers_fault(make, entries: Entries, partner, files) -> None:
    area = {"geojson": {"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 1]]], "note": "\ud800"}}
    mc3 = Partner.model_validate(partner("mc3", ca=(files / "ca.pem").read_text(), service_area=area))
    with pytest.raises(EntryNotUsable, match="cannot be written down"):
        await make().set(mc3, Kind.AGREEMENT, "admin")
    assert entries.v == 0


async def test_an_entry_that_does_not_fit_is_put_aside_and_the_rest_serves(make, entries: Entries) -> None:
    await entries.put(Entry(Kind.USER, "sip:x@mc1.lab", "junk"))
    await entries.put(Entry(Kind.USER, ERIN.mc_service_id, ERIN.model_dump_json()))
    directory = make()
    with structlog.testing.capture_logs() as events:
        await directory.start()
    assert ERIN.mc_service_id in directory.current.users
    assert [event["name"] for event in events if event["event"] == "entry.put-aside"] == ["sip:x@mc1.lab"]


async def test_a_reload_puts_the_new_file_in_force(make, make_config, partner) -> None:
    files: list[CmsConfig] = [make_config("mc1", partner("mc2", priority=7), partner("mc3"))]
    seen: list[list[str]] = []
    directory = make(load=lambda: files[0], on_change=lambda _, catalogue: seen.append(sorted(catalogue.partners)))
    with structlog.testing.capture_logs() as events:
        await directory.reload("admin")
    assert directory.current.partners["mc2"].priority == 7
    assert seen == [["mc2", "mc3"]]
    files[0] = make_config("mc1", partner("mc2"), limits={"burst": 5})
    with structlog.testing.capture_logs() as events:
        await directory.reload("admin")
    assert [event["need_restart"] for event in events if event["event"] == "reload.done"] == [["limits.burst"]]
    await directory.reload("admin")
    with structlog.testing.capture_logs() as events:
        await directory.reload("admin")
    assert events[-1]["need_restart"] == ["limits.burst"]  # it still waits


async def test_what_waits_for_a_restart_is_named_and_what_does_not_is_not(make, make_config, partner, files) -> None:
    loaded = make_config("mc1", partner("mc2"))
    changes = {
        "system": {"mc_service_id_domains": ("mc1.lab",), "home_domain": "ims2.mc1.lab"},
        "mms": {"ca": loaded.tls.certificate},
        "idms": {"leeway_s": 7.0},
        "admin": {"ca": loaded.tls.certificate},
    }
    tables = {name: getattr(loaded, name).model_copy(update=change) for name, change in changes.items()}
    directory = make(load=lambda: loaded.model_copy(update=tables))
    with structlog.testing.capture_logs() as events:
        catalogue = await directory.reload("admin")
    assert events[-1]["need_restart"] == ["system.home_domain", "idms.leeway_s"]
    assert catalogue.own_mc_domains == {"mc1.lab"}


@pytest.mark.parametrize("fault", [ConfigError("cms.toml: users: sip:a@b stands twice"), None])
async def test_a_file_that_cannot_be_used_leaves_the_old_one_in_force(
    make, make_config, partner, fault: ConfigError | None
) -> None:
    await (directory := make(load=lambda: _load(fault, make_config))).start()
    await directory.set(Group(name="crew", members=()), Kind.GROUP, "admin")
    before = directory.current
    with structlog.testing.capture_logs() as events, pytest.raises(ReloadRefused):
        await directory.reload("admin")
    assert directory.current is before
    assert [event["event"] for event in events] == ["reload.refused"]
    assert "\n" not in events[0]["why"]


def _load(fault: ConfigError | None, make_config) -> CmsConfig:
    if fault is not None:
        raise fault
    broken: CmsConfig = make_config("mc1")
    twins = tuple(
        Partner.model_validate(
            {"name": name, "cms": "https://x", "ca": "-----BEGIN CERTIFICATE-----", "client_name": "x", "realms": []}
        )
        for name in ("mc2", "mc3")
    )
    return broken.model_copy(update={"partners": twins})
