"""Import time of each program: what must be loaded before its first line runs, best of five fresh interpreters."""

import subprocess
import sys

# fmt: off
PROGRAMS = {                            # module that `run` loads, and the budget of DESIGN in seconds
    "mmserver migration":     ("mmserver.migration.service", 0.5),
    "mmserver configuration": ("mmserver.configuration.service", 0.4),
    "identity management":    ("lab.systems.idms.server", 0.4),
    "diameter-proxy":         ("diameter_proxy.proxy", 0.2),
    "HSS simulator":          ("lab.systems.hss.program", 0.1),
    "ue-agent":               ("ue_agent.control", 0.3),
}
# fmt: on
SCRIPT = "import time, asyncio, ssl, structlog; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def import_s(module: str) -> float:
    """Return the seconds that importing ``module`` takes after asyncio, ssl and structlog."""
    runs = [
        subprocess.run([sys.executable, "-c", SCRIPT.format(module)], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    return min(float(run.stdout) for run in runs)


def main() -> None:
    """Print one line for each program."""
    print("| program | import s | budget s |\n|---|---|---|")
    for name, (module, budget_s) in PROGRAMS.items():
        print(f"| {name} | {import_s(module):.2f} | {budget_s} |")


if __name__ == "__main__":
    main()
