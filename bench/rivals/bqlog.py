"""bqlog, written in C++, with its thread that writes."""

from pathlib import Path

from loggers import TakesText
from rivals.contender import Contender, Place

__all__ = ["Bqlog"]

CONFIGURATION = """\
appenders_config.file.type=text_file
appenders_config.file.time_zone=localtime
appenders_config.file.base_dir_type=0
appenders_config.file.file_name={path}
appenders_config.file.max_file_size={max_bytes}
appenders_config.file.levels=[all]
log.thread_mode=async
log.buffer_policy_when_full=block
"""


class Bqlog(TakesText, Contender):
    distribution = "bqlog"
    rotates = True
    is_slow = False
    # No setting leaves it out.
    start = rb"\S+ \S+ \S+\[tid-\d+ [^\]]*\]\t\[I\]\t"

    def open(self, place: Place) -> None:
        from bq.log import log

        settings = CONFIGURATION.format(
            path=place.folder / "app", max_bytes=place.max_bytes
        )
        self._log = log.create_log("bench", settings)
        self._info = self._log.info

    def log(self, text: str) -> None:
        # Braces in the text itself would be taken for placeholders.
        self._info("{}", text)

    def emit_text(self, message: str, *values: object) -> None:
        self.log(message % values)

    def drain(self) -> None:
        self._log.force_flush()

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        # app_20261122_1.log, app_20261122_2.log, ...; the day doesn't matter.
        def number(file: Path) -> int:
            return int(file.stem.rpartition("_")[2])

        return sorted(folder.glob("app_*.log"), key=number)
