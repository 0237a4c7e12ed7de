"""Three short rounds of `make chaos`; the seed names the round."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chaos_round import Input, Plan, Result, Round
from run_chaos import differences
from services import Kafka

ROWS = 15_000
HOURS = 0.5
PLANS = {
    1: ("kill", "connector", "join"),
    2: ("broker", "term"),
    3: ("pause", "two"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Input:
    """The input of all rounds."""
    return Input.write(tmp_path_factory.mktemp("chaos") / "data", seed=20, rows=ROWS, hours=HOURS)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker that may be killed."""
    import services

    folder = tmp_path_factory.mktemp("chaos-broker")
    try:
        found = services.start(["kafka"], folder, ports=services.EPHEMERAL).kafka
    except services.Missing as e:
        pytest.skip(f"kafka: this machine lacks {e}")
    assert found is not None
    yield found
    services.load(folder).destroy()


@pytest.fixture(scope="module")
def calm(data: Input, broker: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """What the input leads to when nothing dies."""
    folder = tmp_path_factory.mktemp("calm") / "round"
    return Round(Plan(0, ()), data, broker, folder, print).run()


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_an_undisturbed_run_is_exact_and_sees_the_crises(calm: Result) -> None:
    assert calm.problems == []
    assert calm.incidents


@pytest.mark.kafka
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", PLANS)
def test_whatever_dies_counts_and_incidents_are_those_of_an_undisturbed_run(
    seed: int, data: Input, broker: Kafka, calm: Result, tmp_path: Path
) -> None:
    told: list[str] = []
    say: Callable[[str], None] = told.append
    result = Round(Plan(seed, PLANS[seed]), data, broker, tmp_path / "round", say).run()
    assert result.problems + differences(result, calm) == [], told
