"""Parts of a state that stay encoded while nobody asks for them: most brands are quiet for days.

An encoded part is a few small values and takes a third of the memory; to restore it is to keep its
bytes. What the metrics ask, in a thread of their own, finds a part in one form or the other at any
time: each change of form makes the new one before it takes the old one away.
"""

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from detectors.anomaly.config import BankConfig

T = TypeVar("T")


class Holder(Protocol):
    """A state with such parts."""

    config: BankConfig
    kept: dict[str, bytes]
    """Encoded parts, by name."""


class Kept(Generic[T]):
    """A part that is decoded when it is first asked for.

    From then on it is an attribute like any other, as with `functools.cached_property`.

    Parameters
    ----------
    begin, restore
        Make the part of a state that begins, and of an encoded value.
    """

    name: str

    def __init__(
        self, begin: Callable[[BankConfig], T], restore: Callable[[BankConfig, bytes], T]
    ) -> None:
        self._begin = begin
        self._restore = restore

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, state: Holder, owner: Any = None) -> T:
        value = state.kept.get(self.name)
        part = self._begin(state.config) if value is None else self._restore(state.config, value)
        vars(state)[self.name] = part
        state.kept.pop(self.name, None)
        return part
