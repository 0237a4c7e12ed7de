"""Reads `siaga.toml`: values in `RootSettings`; mistakes named by key and line, with a hint."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from streams.reload import ConfigFile
from streams.settings import RootSettings, root_model

DEFAULT_PATH = Path("siaga.toml")

_TABLE = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


class ConfigError(Exception):
    """The configuration holds mistakes; `problems` has one sentence each."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def load(path: Path | None = None) -> RootSettings:
    """Read the configuration.

    Parameters
    ----------
    path
        None: `siaga.toml` in the working directory if it is there, else all defaults.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no TOML, or holds unknown keys or wrong values.
    """
    where = path or DEFAULT_PATH
    if path is None and not where.exists():
        settings, content = root_model()(), None
    else:
        try:
            content = where.read_bytes()
            settings = parse(content.decode(), where)
        except (OSError, UnicodeDecodeError) as e:
            raise ConfigError(where, [f"{where}: cannot be read: {e}"]) from e
    settings.came_from(ConfigFile(where, content, parse, settings))
    return settings


def parse(text: str, path: Path = DEFAULT_PATH) -> RootSettings:
    """Build settings from the text of a configuration; `path` is for messages only.

    Raises
    ------
    ConfigError
        If it is no TOML, or holds unknown keys or wrong values.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(path, [f"{path}: not valid TOML: {e}"]) from e
    return parse_values(values, path, key_lines(text))


def parse_values(
    values: Mapping[str, Any],
    path: Path,
    lines: Mapping[tuple[str, ...], int] | None = None,
) -> RootSettings:
    """Build settings from the values of a configuration; `path` and `lines` are for messages.

    Raises
    ------
    ConfigError
        If there are unknown keys or wrong values; all of them are named.
    """
    try:
        return root_model().model_validate(values)
    except ValidationError as e:
        problems = [_sentence(path, lines or {}, dict(error)) for error in e.errors()]
        raise ConfigError(path, problems) from e


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Line (1-based) of each table and key of a TOML text, by its path; arrays count from 0."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    arrays: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _TABLE.match(line):
            table = _split(found[1])
            if line.lstrip().startswith("[["):
                arrays[table] = arrays.get(table, -1) + 1
                table = (*table, str(arrays[table]))
            lines.setdefault(table, number)
        elif found := _KEY.match(line):
            lines.setdefault((*table, *_split(found[1])), number)
    return lines


def _split(dotted: str) -> tuple[str, ...]:
    parts = re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", dotted)
    return tuple(part.strip("\"'") for part in parts)


def _sentence(path: Path, lines: Mapping[tuple[str, ...], int], error: Mapping[str, Any]) -> str:
    location = tuple(str(part) for part in error["loc"])
    line = next(
        (lines[location[:n]] for n in range(len(location), 0, -1) if location[:n] in lines), None
    )
    key = ".".join(part for part in location if part != "[key]")
    at = f"{path}:{line}" if line else str(path)
    if error["type"] == "extra_forbidden":
        near = get_close_matches(location[-1], _valid_keys(location[:-1]), n=1, cutoff=0.5)
        hint = f'; did you mean "{near[0]}"?' if near else _listed(_valid_keys(location[:-1]))
        return f"{at}: unknown key {key}{hint}"
    return f"{at}: {key}: {error['msg']} (found {_shown(error.get('input'))})"


def _listed(keys: Sequence[str]) -> str:
    return f"; valid here: {', '.join(keys)}" if keys else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _valid_keys(location: Sequence[str]) -> list[str]:
    """The keys that the model at a location has; empty where the location is free."""
    model: Any = root_model()
    for part in location:
        if isinstance(model, type) and issubclass(model, BaseModel):
            info = model.model_fields.get(part)
            model = info.annotation if info else None
        else:
            # a dict of models: the part is a free name
            arguments = getattr(model, "__args__", ())
            model = arguments[-1] if arguments else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return sorted(model.model_fields)
    return []
