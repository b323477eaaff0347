"""Scores, measured once and kept in a file of results with a line for every score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rimkit.provenance import version
from rimkit.sheets import read_csv, write_csv


class Kept:
    """Scores in a CSV file; each is measured once for its protocol, settings and place.

    Lines of methods that are no longer requested stay in the file.

    Parameters
    ----------
    file
        Need not exist.
    place
        Names of the columns that say what was scored, such as image and sigma.
    values
        Names of the columns of the scores.
    protocol
        Version of the measuring procedure, changed whenever scores would differ. Lines without one
        count as version 1.

    Raises
    ------
    ValueError
        If a line of the file lacks one of the columns.
    """

    def __init__(
        self, file: Path, *, place: Sequence[str], values: Sequence[str], protocol: int
    ) -> None:
        self._file = file
        self._protocol = str(protocol)
        self._key = ("protocol", "settings", *place)
        self._columns = ("method", *place, *values, "settings")
        self._here = version()
        self._lines = self._read()

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def about(self) -> list[str]:
        """Two lines of explanation for a table of scores from this file."""
        return [
            f"Scores that {self._file.name} keeps of earlier calls are not measured again;",
            "the version that measured each stands there.",
        ]

    def rename(self, method: str, settings: str) -> None:
        """Rename a method: weights get a new name in the package, and keep their scores."""
        own = [line for line in self._lines.values() if line["settings"] == settings]
        if any(line["method"] != method for line in own):
            for line in own:
                line["method"] = method
            self._write()

    def score(
        self,
        method: str,
        settings: str,
        place: Mapping[str, str],
        measure: Callable[[], Mapping[str, str]],
    ) -> Mapping[str, str]:
        """Return the line of a method at a place, measuring it first if it is not there.

        Parameters
        ----------
        method, settings
            Its name, and all that its scores depend on.
        place
            By column name.
        measure
            Returns the scores by column name.
        """
        line = {"method": method, **place, "settings": settings, "protocol": self._protocol}
        key = tuple(line[name] for name in self._key)
        if key not in self._lines:
            scores = measure()
            self._lines[key] = {
                "method": method,
                **place,
                **scores,
                "settings": settings,
                "protocol": self._protocol,
                "measured_by": self._here,
            }
            self._write()
        return self._lines[key]

    def _read(self) -> dict[tuple[str, ...], dict[str, str]]:
        lines = read_csv(self._file, self._columns)
        lines = [{**line, "protocol": line.get("protocol") or "1"} for line in lines]
        return {tuple(line[name] for name in self._key): line for line in lines}

    def _write(self) -> None:
        self._lines = {**self._read(), **self._lines}  # another process may have written, too
        write_csv(list(self._lines.values()), self._file)
