"""The hermetic engine against vectors recorded from the real engine: call by call, and the state after each step."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

SUITE = Path(__file__).parent / "suite"
ENGINE = Path(__file__).parents[2] / "bin" / "hermetic"
SCENARIOS = sorted(path.parent.name for path in (SUITE / "scenarios").glob("*/scenario.json"))
DIFF_LINES = 40

pytestmark = pytest.mark.slow


def _runner() -> ModuleType:
    """The suite's own runner: it can check any engine, and knows nothing of this one."""
    spec = importlib.util.spec_from_file_location("conformance_runner", SUITE / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = _runner()


def test_no_scenario_was_lost() -> None:
    recorded = sorted(path.stem for path in (SUITE / "vectors").glob("*.json"))
    assert recorded == SCENARIOS
    assert len(SCENARIOS) == 69


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_engine_does_what_the_recorded_engine_did(name: str) -> None:
    vector, error = RUNNER.run_one(SUITE / "scenarios" / name, str(ENGINE))
    assert vector is not None, error
    wanted = json.loads((SUITE / "vectors" / f"{name}.json").read_text(encoding="utf-8"))
    difference = RUNNER.diff_text(wanted, json.loads(RUNNER.dumps(vector)), DIFF_LINES)
    assert not difference, f"wanted (-) and got (+):\n{difference}"
