"""run.json: what the judge needs, and nothing secret."""

import json
from pathlib import Path

from lab.evidence.facts import load_facts
from lab.render.files import Files
from lab.run_directory import RunDirectory
from lab.scenarios.library import SCENARIOS
from lab.scenarios.record import run_facts
from lab.topology import load_topology


def test_the_judge_reads_it(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    scenario = SCENARIOS["hss-default-identities"]
    topology = load_topology(settings=scenario.settings).restricted_to(scenario.systems, scenario.ues)
    run.write_run(run_facts(topology, scenario, Files(run, "ab12")))
    facts = load_facts(tmp_path)
    assert facts.role("10.77.1.14") == "proxy"
    assert facts.role("10.77.2.21") == "ue"
    assert facts.system("mc1").allocation == "pool"
    assert facts.system("mc1").hss_identities == "default"
    assert facts.system("mc2").service_area.holds({"ecgi": "00102-0000201"})


def test_no_secret_is_in_it(tmp_path: Path) -> None:
    topology = load_topology()
    scenario = SCENARIOS["migration"]
    text = json.dumps(run_facts(topology, scenario, Files(RunDirectory(tmp_path), "ab12")), default=str)
    for user in topology.users.values():
        for secret in (user.k, user.opc, user.password):
            assert secret not in text
