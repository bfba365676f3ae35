"""logust, written in Rust, in the thread that logs."""

from pathlib import Path

from logfiles import stamped_files
from loggers import TakesText
from rivals.contender import Contender, Place

__all__ = ["Logust"]

LAYOUT = "{time} {level} {name} {message}"
BARE = "{message}"


class Logust(TakesText, Contender):
    distribution = "logust"
    rotates = True
    compresses = True
    shares = True

    def open(self, place: Place) -> None:
        from logust import logger

        logger.remove()
        self._logger = logger
        self._sink: int | None = logger.add(
            place.folder / "app.log",
            level="INFO",
            format=LAYOUT if place.has_layout else BARE,
            rotation=f"{place.max_bytes} B" if place.max_bytes else None,
            compression=place.compresses,
        )
        self.log = logger.info

    def emit_text(self, message: str, *values: object) -> None:
        self.log(message % values)

    def drain(self) -> None:
        self._logger.complete()

    def close(self) -> None:
        if self._sink is not None:
            self._logger.remove(self._sink)
            self._sink = None

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return stamped_files(folder / "app.log")
