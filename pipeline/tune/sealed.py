"""A SQLite file whose rows carry checksums: written as it happens, checked and repaired on opening.

The file is in write-ahead mode and each change is on the disk before the next one begins, so that
readers see a running writer's rows and a killed writer loses none. A row begins with a checksum of
the rest of it and of the name of its table. Rows that are damaged are left out when the file is
repaired; the damaged file stays beside the repaired one.
"""

import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import RequestError, WorkFailedError

Value = str | int | float | None
Row = tuple[Value, ...]
Tables = dict[str, str]
BUSY_SECONDS = 10.0
# Faults that are not the file's: no room, no access, somebody else at work.
OUTSIDE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}
log = logging.getLogger(__name__)


class SealedFile:
    """A file with these tables: names, and columns as SQL, to which the checksum is added.

    RequestError if the file is no such file, or is damaged while only reading was asked for.
    """

    def __init__(self, path: Path, tables: Tables, writing: bool) -> None:
        self.path, self.tables = path, tables
        if writing:
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained():
            self._database = _connected(path, writing)
            if writing:
                self._create()
            faults = _faults(self._database, tables)
        if faults and not writing:
            raise RequestError(f"{path} is damaged ({faults}); tuning on repairs it")
        if faults:
            self._repair(faults)

    def close(self) -> None:
        """Take the rows of the write-ahead log into the file."""
        self._database.close()

    def rows(self, table: str, where: str = "1", values: Sequence[Value] = ()) -> list[Row]:
        """Rows in the order in which they were written, without checksums."""
        query = f"SELECT * FROM {table} WHERE {where} ORDER BY rowid"
        with self._explained():
            return [row[1:] for row in self._database.execute(query, values)]

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or none of the changes within; WorkFailedError if they cannot be written."""
        with self._explained(), self._database:
            yield

    def put(self, table: str, row: Row) -> int:
        """Add a row, or replace the one with the same key; the row's number."""
        marks = ", ".join("?" * (len(row) + 1))
        query = f"INSERT OR REPLACE INTO {table} VALUES ({marks})"
        return int(self._database.execute(query, (_check(table, row), *row)).lastrowid or 0)

    def delete(self, table: str, where: str, values: Sequence[Value] = ()) -> int:
        """Remove rows; how many."""
        return int(self._database.execute(f"DELETE FROM {table} WHERE {where}", values).rowcount)

    def shrink(self) -> None:
        """Give back the space of what was removed."""
        with self._explained():
            self._database.execute("VACUUM")

    def _create(self) -> None:
        # In this mode a change is on the disk, and not only with the system, when it is done.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        for name, columns in self.tables.items():
            self._database.execute(f"CREATE TABLE IF NOT EXISTS {name} (seal TEXT, {columns})")

    def _repair(self, faults: str) -> None:
        rows = {table: list(_readable(self._database, table)) for table in self.tables}
        self._database.close()
        aside = _set_aside(self.path)
        with self._explained():
            self._database = _connected(self.path, True)
            self._create()
            with self._database:
                for table, good in rows.items():
                    for row in good:
                        self.put(table, row)
        count = sum(map(len, rows.values()))
        log.warning(
            "%s was damaged (%s): repaired with %d whole rows; the damaged file is %s",
            self.path, faults, count, aside.name,
        )  # fmt: skip

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeError) as error:
            # The low byte is the kind; the rest says more of it.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in OUTSIDE:
                raise WorkFailedError(
                    f"{self.path}: {error}; nothing that was written is lost: make room or wait for"
                    " who holds it, then run the same command again"
                ) from error
            # What cannot be read may also make a message that cannot be.
            raise RequestError(
                f"{self.path} is damaged beyond repair ({error}); move it away, or restore it"
            ) from error


def _connected(path: Path, writing: bool) -> sqlite3.Connection:
    mode = "rwc" if writing else "ro"
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
    )
    # A damaged text is to be read, so that its checksum can tell that it is damaged.
    database.text_factory = lambda content: content.decode(errors="replace")
    return database


def _faults(database: sqlite3.Connection, tables: Tables) -> str:
    """What is wrong with the file; empty if nothing is."""
    try:
        (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            return str(verdict).splitlines()[-1]
        torn = 0
        for table in tables:
            rows = list(database.execute(f"SELECT * FROM {table}"))
            torn += sum(row[0] != _check(table, row[1:]) for row in rows)
    except sqlite3.OperationalError:
        raise
    except (sqlite3.DatabaseError, UnicodeError, OverflowError) as error:
        if "not a database" in str(error):
            raise
        return str(error)
    return f"{torn} rows changed" if torn else ""


def _readable(database: sqlite3.Connection, table: str) -> Iterator[Row]:
    """The whole rows from either end of a table up to what cannot be read."""
    seen: set[Row] = set()
    for order in ("ASC", "DESC"):
        try:
            for row in database.execute(f"SELECT * FROM {table} ORDER BY rowid {order}"):
                if row[0] == _check(table, row[1:]) and row not in seen:
                    seen.add(row)
                    yield row[1:]
        except (sqlite3.DatabaseError, UnicodeError, OverflowError):
            continue


def _check(table: str, row: Sequence[Value]) -> str:
    # A column of floats gives back as float what was an int.
    plain = [float(value) if isinstance(value, int) else value for value in row]
    # Bytes are in no row that was written whole.
    text = json.dumps([table, *plain], default=bytes.hex)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _set_aside(path: Path) -> Path:
    """Rename a file and its logs; the new name of the file."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            os.replace(part, aside.with_name(aside.name + suffix))
    return aside
