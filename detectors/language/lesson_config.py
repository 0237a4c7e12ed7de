"""The thresholds of learning from people; they come from `[lessons]` of `siaga.toml`."""

import msgspec


class LessonConfig(msgspec.Struct, frozen=True):
    """Thresholds of learning from people: must be the same on every worker.

    Attributes
    ----------
    free_labels
        Labels of one person that always count between two promotions.
    person_share_ratio
        Beyond those, a person's labels count only while they are at most this share of all.
    held_out_every
        One label in so many (by its id) is kept to test with and never learned.
    held_out_most
        Labels kept to test with; the oldest go.
    harm_ratio
        How far a promotion may lower the accuracy on the hard cases or on the held-out labels.
    least_held_out
        With fewer held-out labels only the hard cases decide.
    versions_kept
        Promoted models that a rollback can return to.
    remembered_mentions
        Mentions whose last label is remembered, to see repeats and contradictions.
    """

    free_labels: int = 200
    person_share_ratio: float = 0.5
    held_out_every: int = 5
    held_out_most: int = 500
    harm_ratio: float = 0.01
    least_held_out: int = 20
    versions_kept: int = 3
    remembered_mentions: int = 10_000
