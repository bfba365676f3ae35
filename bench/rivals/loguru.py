"""loguru, writing in the thread that logs."""

from pathlib import Path

from logfiles import stamped_files
from loggers import TakesText
from rivals.contender import Contender, Place

__all__ = ["Loguru"]

LAYOUT = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level} {name} {message}"
BARE = "{message}"


class Loguru(TakesText, Contender):
    distribution = "loguru"
    rotates = True
    compresses = True

    def open(self, place: Place) -> None:
        from loguru import logger

        logger.remove()
        self._logger = logger
        self._sink: int | None = logger.add(
            place.folder / "app.log",
            format=LAYOUT if place.has_layout else BARE,
            level="INFO",
            rotation=place.max_bytes or None,
            compression="gz" if place.compresses else None,
        )
        self.log = logger.info

    def emit_text(self, message: str, *values: object) -> None:
        self.log(message % values)

    def close(self) -> None:
        if self._sink is not None:
            self._logger.remove(self._sink)
            self._sink = None

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return stamped_files(folder / "app.log")
