"""logbook, with its rotating file handler."""

from pathlib import Path

from logfiles import numbered_files
from loggers import NAME, TakesText
from rivals.contender import Contender, Place
from rivals.rotating_file_handler import BACKUP_COUNT

__all__ = ["Logbook"]

LAYOUT = (
    "{record.time:%Y-%m-%d %H:%M:%S} {record.level_name} {record.channel} "
    "{record.message}"
)
BARE = "{record.message}"
# It refuses to rotate at nothing.
NEVER_BYTES = 2**62


class Logbook(TakesText, Contender):
    distribution = "logbook"
    rotates = True

    def open(self, place: Place) -> None:
        import logbook

        self._handler = logbook.RotatingFileHandler(
            str(place.folder / "app.log"),
            max_size=place.max_bytes or NEVER_BYTES,
            backup_count=BACKUP_COUNT,
            format_string=LAYOUT if place.has_layout else BARE,
        )
        self._handler.push_application()
        self.log = logbook.Logger(NAME).info

    def emit_text(self, message: str, *values: object) -> None:
        self.log(message % values)

    def drain(self) -> None:
        self._handler.flush()

    def close(self) -> None:
        self._handler.close()

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return numbered_files(folder / "app.log")
