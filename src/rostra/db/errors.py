"""What can be wrong with the database itself."""

from __future__ import annotations

from rostra.errors import Conflict, Invalid, Unavailable


class DatabaseUnavailable(Unavailable):
    code = "database-unavailable"

    def __init__(self, where: str, why: str) -> None:
        self.where = where
        super().__init__(
            f"the database at {where} cannot be used: {why}",
            hint="Check [Database] and [Postgres], that the database runs, and that this account may write there.",
        )


class DatabaseAddressInvalid(Invalid):
    code = "database-address"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"[Postgres] URL is not usable: {why}",
            hint="Write postgres://user@host:port/name; see [Postgres] Password.",
        )


class DatabaseTooNew(Conflict):
    """The records were made by a newer Rostra than this one."""

    code = "database-too-new"

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(
            f"the database is at revision {revision}, which this Rostra does not know",
            hint="Start the newer Rostra again, or restore the backup made before it was first started.",
        )


class DatabaseBusy(Unavailable):
    """The database is away, or others wrote for longer than anyone waits."""

    code = "database-busy"

    def __init__(self) -> None:
        super().__init__("the server cannot reach its records now", hint="Try again in a moment.")


class ChangedMeanwhile(Conflict):
    """Two made the same thing at the same time; the other one was first."""

    code = "changed-meanwhile"
    number = 80

    def __init__(self) -> None:
        super().__init__("somebody else changed this at the same moment", hint="Look at it again, then repeat.")
