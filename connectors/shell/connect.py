"""`siaga connect`: the service on its own, with its metrics."""

from streams.run import main
from streams.settings import RootSettings


def connect(settings: RootSettings, *, metrics_port: int | None) -> None:
    """Run all sources until a signal; a port takes the place of the one of `[metrics]`.

    Raises
    ------
    CannotStart
        If the port is taken.
    """
    if metrics_port is not None:
        metrics = settings.metrics.model_copy(update={"port": metrics_port})
        settings = settings.model_copy(update={"metrics": metrics})
    main(settings, ["connect"])
