"""fastlogging, compiled with Cython, in the thread that logs."""

from pathlib import Path

from logfiles import numbered_files
from loggers import TakesText
from rivals.contender import Contender, Place
from rivals.rotating_file_handler import BACKUP_COUNT

__all__ = ["Fastlogging"]


class Fastlogging(TakesText, Contender):
    distribution = "fastlogging"
    rotates = True
    # No setting leaves it out.
    start = rb"\S+ \S+ app: INFO +: "

    def open(self, place: Place) -> None:
        from fastlogging import INFO, LogInit

        self._logger = LogInit(
            domain="app",
            level=INFO,
            pathName=str(place.folder / "app.log"),
            maxSize=place.max_bytes,
            backupCnt=BACKUP_COUNT,
        )
        self.log = self._logger.info

    def emit_text(self, message: str, *values: object) -> None:
        self.log(message % values)

    def close(self) -> None:
        if self._logger is not None:
            self._logger.shutdown()
            self._logger = None

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return numbered_files(folder / "app.log")
