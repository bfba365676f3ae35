"""spdlog by its Python binding: in the thread that logs, or with its own thread."""

from pathlib import Path

from logfiles import numbered_files
from loggers import TakesText
from rivals.contender import Contender, Place
from rivals.rotating_file_handler import BACKUP_COUNT

__all__ = ["Spdlog", "SpdlogAsync"]

LAYOUT = "%Y-%m-%d %H:%M:%S.%e %l %n %v"
BARE = "%v"
# It refuses to rotate at nothing; its binding takes a C int.
NEVER_BYTES = 2**31 - 1


class Spdlog(TakesText, Contender):
    distribution = "spdlog"
    rotates = True
    is_slow = False
    is_async = False

    def open(self, place: Place) -> None:
        import spdlog

        self._spdlog = spdlog
        if self.is_async:
            spdlog.set_async_mode()
        self._logger: spdlog.RotatingLogger | None = spdlog.RotatingLogger(
            "bench",
            str(place.folder / "app.log"),
            True,
            place.max_bytes or NEVER_BYTES,
            BACKUP_COUNT,
            self.is_async,
        )
        self._logger.set_pattern(LAYOUT if place.has_layout else BARE)
        self.log = self._logger.info

    def emit_text(self, message: str, *values: object) -> None:
        self.log(message % values)

    def drain(self) -> None:
        if self._logger is not None:
            self._logger.flush()
        if self.is_async:
            # flush() only queues a request. Another pool in its place ends this one,
            # which waits until all is written.
            self._logger = None
            self._spdlog.set_async_mode()

    def close(self) -> None:
        if self._logger is not None:
            self._logger.flush()
            self._logger.close()
            self._logger = None

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return numbered_files(folder / "app.log")


class SpdlogAsync(Spdlog):
    is_async = True
