"""What waits for a flush, by partition: outputs, acknowledgements, actions of people."""

from collections.abc import Callable
from dataclasses import dataclass, field

from streams.log.port import Entry

Ack = Callable[[], object]


@dataclass(frozen=True, slots=True)
class TakenAction:
    """A record of the actions topic that is not yet covered by a flush."""

    offset: int
    value: bytes | None
    ack: Ack


@dataclass(slots=True)
class Waiting:
    """What of one partition waits.

    When a live state is dropped its outputs go with it: they are made again. Acknowledgements stay,
    since the consumer delivers a record once and the log heals the rest; so do actions, which are
    then folded into the restored state.
    """

    entries: list[Entry] = field(default_factory=list)
    acks: list[tuple[int, Ack]] = field(default_factory=list)
    actions: list[TakenAction] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.entries or self.acks or self.actions)

    def covered(self, applied: int, actions: int) -> None:
        """Acknowledge what a flush has covered.

        Parameters
        ----------
        applied
            Offset of the mentions topic up to which the written state goes.
        actions
            How many of the waiting actions it holds.
        """
        done = [ack for offset, ack in self.acks if offset <= applied]
        self.acks = [(offset, ack) for offset, ack in self.acks if offset > applied]
        done += [action.ack for action in self.actions[:actions]]
        del self.actions[:actions]
        for ack in done:
            ack()
