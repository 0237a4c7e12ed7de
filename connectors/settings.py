"""The `[sources.NAME]` tables of `siaga.toml`, each by the model of its connector.

A mistake in a source keeps its place (`sources.main.paht`), so that it is named by key and line.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, SerializeAsAny, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from connectors.contract import SourceSettings
from connectors.registry import UnknownType, connector_type
from streams.settings import Name, Section


def resolve(value: Any) -> Any:
    """Validate one source's table by the settings model of its type."""
    if not isinstance(value, Mapping):
        return value
    table = dict(value)
    kind = table.get("type")
    if not isinstance(kind, str):
        raise _mistake((), value, 'a source needs a type, such as type = "file"')
    try:
        model = connector_type(kind).Settings
    except UnknownType as e:
        raise _mistake(("type",), kind, str(e)) from e
    except ImportError as e:
        raise _mistake(("type",), kind, f"connector {kind} cannot be loaded: {e}") from e
    known = sorted(model.model_fields)
    for key in table:
        if key not in model.model_fields:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f'did you mean "{near[0]}"?' if near else f"valid here: {', '.join(known)}"
            raise _mistake((key,), table[key], f"unknown key of a {kind} source; {hint}")
    return model.model_validate(table)


def _mistake(location: tuple[str, ...], value: Any, sentence: str) -> ValidationError:
    error = PydanticCustomError("source", "{sentence}", {"sentence": sentence})
    detail = InitErrorDetails(type=error, loc=location, input=value)
    return ValidationError.from_exception_data("source", [detail])


Source = Annotated[SerializeAsAny[SourceSettings], BeforeValidator(resolve)]


class Sources(Section):
    """Section `sources`: the configured sources by name."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Name, Source]

    def __iter__(self) -> Iterator[tuple[str, SourceSettings]]:  # type: ignore[override]  # only sources are fields
        """Iterate over (name, settings)."""
        yield from self.by_name().items()

    def by_name(self) -> dict[str, SourceSettings]:
        """Return all sources by name."""
        return dict(self.__pydantic_extra__ or {})


class ConnectorsSettings(Section):
    """Section `connectors`: what holds for all sources."""

    tick_every_s: float = 5.0
    """Seconds between ticks, which move the watermark and tell blindness from silence."""
    tick_clock_step_s: float = 60.0
    """A replay also ticks whenever its own clock has moved by this much."""
    batch_mentions: int = 500
    batch_bytes: int = 262_144
    batch_wait_ms: int = 200
    pseudonymise_authors: bool = False
    """Authors leave the door as a keyed hash; the key comes from `pseudonym_key_env`."""
    pseudonym_key_env: str = "SIAGA_PSEUDONYM_KEY"
