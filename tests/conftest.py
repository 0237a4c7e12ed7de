"""What all tests share: the real services, started once a session with data of their own.

A machine that lacks Java, Go or `../shared` skips what needs them and says so in one closing line;
with CI=true a missing service is a failure.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import services as local
from services import Grafana, Kafka, KafkaOptions, Missing, Prometheus, PrometheusOptions, Services

IN_CI = os.environ.get("CI", "").lower() == "true"
SHARED = Path(
    os.environ.get("SIAGA_SHARED") or Path(__file__).resolve().parents[2] / "shared"
).resolve()

hypothesis.settings.register_profile(
    "fuzz",
    max_examples=10_000,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    print_blob=True,
)

_not_run: dict[str, str] = {}
"""What this machine could not run, and why."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `shared` where `../shared` is not (never in CI); retry those of servers."""
    for item in items:
        real = item.get_closest_marker("services") or item.get_closest_marker("kafka")
        # Three servers share a noisy machine with the test: one more try, which the summary names.
        # Never for chaos: a round that fails has found something.
        if real and "chaos" not in item.path.parts:
            item.add_marker(pytest.mark.flaky(reruns=1))
    if SHARED.is_dir() or IN_CI:
        return
    for item in items:
        if item.get_closest_marker("shared"):
            _not_run["tests on real data"] = f"no {SHARED.name} folder beside the checkout"
            item.add_marker(pytest.mark.skip(reason="reads ../shared"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One closing line that names what this machine could not run."""
    if _not_run:
        reasons = "; ".join(f"{what} ({why})" for what, why in sorted(_not_run.items()))
        terminalreporter.write_line(f"Not run on this machine: {reasons}", yellow=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `../shared` with real data; its tests are marked `shared`."""
    return SHARED


@pytest.fixture(scope="session")
def services_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data and logs of this session's services; stopped and removed at its end."""
    folder = tmp_path_factory.mktemp("services")
    yield folder
    local.load(folder).destroy()


@pytest.fixture(scope="session")
def kafka(services_folder: Path) -> Kafka:
    """The session's real Kafka. Share it by `[log] prefix`, and do not stop it."""
    broker = _start(["kafka"], services_folder).kafka
    assert broker is not None
    return broker


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus, scraping each second; name your targets with `set_targets`.

    One a module: brands and workers of other tests would be in every rule's answer.
    """
    folder = tmp_path_factory.mktemp("prometheus")
    server = _start(["prometheus"], folder).prometheus
    assert server is not None
    yield server
    local.load(folder).destroy()


@pytest.fixture(scope="session")
def grafana(services_folder: Path) -> Grafana:
    """The session's real Grafana, with its administrator's `user` and `password`."""
    server = _start(["grafana"], services_folder).grafana
    assert server is not None
    return server


@pytest.fixture(scope="module")
def services(
    services_folder: Path, kafka: Kafka, prometheus: Prometheus, grafana: Grafana
) -> Services:
    """All three, sharing the session's folder."""
    return Services(services_folder, kafka, prometheus, grafana)


@pytest.fixture
def start_kafka(tmp_path: Path) -> Iterator[Callable[..., Kafka]]:
    """Start a broker of the test's own, which may be killed: `start_kafka(KafkaOptions(...))`."""
    begun: list[Services] = []

    def begin(options: KafkaOptions | None = None) -> Kafka:
        begun.append(_start(["kafka"], tmp_path / f"services-{len(begun)}", options))
        broker = begun[-1].kafka
        assert broker is not None
        return broker

    yield begin
    for services in begun:
        # As they are now, not as they were saved: a test may have started a broker again.
        services.destroy()


def _start(names: list[str], folder: Path, options: KafkaOptions | None = None) -> Services:
    try:
        return local.start(
            names,
            folder,
            ports=local.EPHEMERAL,
            kafka=options,
            prometheus=PrometheusOptions(scrape_interval_s=1),
        )
    except Missing as e:
        what = " and ".join(names)
        _not_run[what] = str(e)
        if IN_CI:
            pytest.fail(f"CI must run {what}, but this machine lacks {e}", pytrace=False)
        pytest.skip(f"{what}: this machine lacks {e}")
