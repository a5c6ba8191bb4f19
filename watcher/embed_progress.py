"""Which events a reader was given and which it acknowledged, in whatever order. Counts; reads nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """`read` is the `seq` up to which events were given, or passed over as not wanted."""

    read: int
    _given: deque[int] = field(default_factory=deque)
    """From the oldest that is not acknowledged on; later ones may be."""
    _acknowledged: set[int] = field(default_factory=set)

    @property
    def place(self) -> int:
        """The `seq` up to which everything is acknowledged: what may be written down."""
        return self._given[0] - 1 if self._given else self.read

    @property
    def ahead(self) -> int:
        """How many events were given beyond the place: those that come again after a crash."""
        return len(self._given)

    def give(self, seq: int) -> bool:
        """Note that an event is next; False for one that needs not be given: it was, and acknowledged."""
        known = seq in self._acknowledged
        self._given.append(seq)
        self.read = seq
        self._settle()
        return not known

    def looked(self, seq: int) -> None:
        """Note that nothing up to there is wanted but what was given."""
        self.read = max(self.read, seq)

    def acknowledge(self, seq: int) -> None:
        """Note that an event is done with; twice is as good as once."""
        if seq > self.place:
            self._acknowledged.add(seq)
            self._settle()

    def rewind(self) -> None:
        """Begin again behind the place: what is not acknowledged will be given again."""
        self.read = self.place
        self._given.clear()

    def _settle(self) -> None:
        while self._given and self._given[0] in self._acknowledged:
            self._acknowledged.discard(self._given.popleft())
