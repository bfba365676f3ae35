"""Contenders that do what a logger must not do, and one that does as it is told."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import orjson
from rivals.contender import Contender, Place


class Honest(Contender):
    def open(self, place: Place) -> None:
        self._file = (place.folder / "app.log").open("wb")
        self.written = 0

    def emit_bytes(self, line: bytes) -> None:
        self.written += 1
        self.put(line)

    def emit_dict(self, event: dict[str, Any]) -> None:
        self.emit_bytes(orjson.dumps(event) + b"\n")

    def emit_text(self, message: str, *values: object) -> None:
        text = f"2026-11-22 01:02:03 INFO app {message % values}\n"
        self.emit_bytes(text.encode())

    def put(self, line: bytes) -> None:
        self._file.write(line)

    def close(self) -> None:
        self._file.close()

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return [folder / "app.log"] if (folder / "app.log").exists() else []


class Forgets(Honest):
    def put(self, line: bytes) -> None:
        if self.written != 7:
            super().put(line)


class Doubles(Honest):
    def put(self, line: bytes) -> None:
        super().put(line * 2 if self.written == 7 else line)


class Tears(Honest):
    def put(self, line: bytes) -> None:
        torn = line[:30] + b"\n" + line[30:]
        super().put(torn if self.written == 7 else line)


class Hangs(Honest):
    def drain(self) -> None:
        self._file.flush()
        threading.Event().wait()


class Dies(Honest):
    def put(self, line: bytes) -> None:
        if self.written == 7:
            os.kill(os.getpid(), signal.SIGSEGV)
        super().put(line)


class Raises(Honest):
    def put(self, line: bytes) -> None:
        if self.written == 7:
            raise ValueError("no seventh line")
        super().put(line)
