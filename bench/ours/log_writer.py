"""auditring.LogWriter: events and ready lines."""

from pathlib import Path

from logfiles import stamped_files
from ours.logged import Logged
from rivals.contender import Form, Place

__all__ = ["OurWriter"]


class OurWriter(Logged):
    forms = frozenset[Form]({"dict", "bytes"})

    def open(self, place: Place) -> None:
        from auditring import LogWriter

        self.log = LogWriter(
            place.folder / "audit.log",
            max_bytes=place.max_bytes,
            compress="gzip" if place.compresses else None,
            ring_bytes=place.ring_bytes,
        )
        self.emit_dict = self.log.write_json
        self.emit_bytes = self.log.write

    def drain(self) -> None:
        self.log.flush()

    def close(self) -> None:
        self.log.close()

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return stamped_files(folder / "audit.log")
