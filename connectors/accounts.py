"""How old the account of an author was when it wrote."""

from datetime import UTC, datetime, timedelta


def account_days(since: datetime | None, *, at: datetime) -> int:
    """Days from an account's opening to a mention; a new one counts as 1, 0 is unknown.

    Examples
    --------
    >>> at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> account_days(at - timedelta(days=30, hours=5), at=at), account_days(at, at=at)
    (30, 1)
    >>> account_days(None, at=at), account_days(at + timedelta(days=1), at=at)
    (0, 0)
    >>> account_days(datetime(2026, 1, 1), at=at)  # no zone
    60
    """
    if since is None:
        return 0
    # A day more or less is no matter: what names no zone is taken for UTC.
    since, at = (t if t.tzinfo else t.replace(tzinfo=UTC) for t in (since, at))
    if since > at:
        return 0
    return max((at - since) // timedelta(days=1), 1)
