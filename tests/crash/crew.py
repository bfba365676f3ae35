"""A crew: processes that write to one log until they are killed.

They are forked from this process, which must not have the log open itself, and should
have imported what they need.
"""

import errno
import itertools
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from ledger import Ledger
from puppet import archive, close_all

# All that a writer imports late, so that a child has it from the start.
import auditring.backups.mill  # noqa: F401
from auditring import LogWriter

__all__ = ["Crew"]


class Crew:
    """Keeps so many processes writing, each with as many threads.

    Attributes:
        pids: Of those that live.
        streams: How many streams were begun.
    """

    def __init__(
        self,
        open_log: Callable[[], LogWriter],
        ledger: Ledger,
        *,
        threads: int,
        pace_s: float = 0.0,
        has_meddlers: bool = False,
    ) -> None:
        """Prepare; nobody is started yet.

        Args:
            open_log: Called in each process.
            ledger: What they are acknowledged goes here.
            threads: Of each, which write a stream each.
            pace_s: What a thread waits between some hundred lines.
            has_meddlers: Another thread takes descriptors and locks away all the time.
        """
        self.pids: list[int] = []
        self.streams = 0
        self._open_log = open_log
        self._ledger = ledger
        self._threads = threads
        self._pace_s = pace_s
        self._has_meddlers = has_meddlers

    def fill_up(self, processes: int) -> None:
        """Start as many as are missing."""
        while len(self.pids) < processes:
            first = self.streams
            self.streams += self._threads
            pid = os.fork()
            if pid == 0:
                self._write(range(first, self.streams))
            self.pids.append(pid)

    def kill(self, pids: Sequence[int]) -> None:
        """Kill some of them at once.

        Raises:
            RuntimeError: One had ended by itself.
        """
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            self.pids.remove(pid)
            _, status = os.waitpid(pid, 0)
            if not os.WIFSIGNALED(status):
                raise RuntimeError(f"writer {pid} ended by itself: status {status}")

    def _write(self, streams: range) -> None:
        """Be one of them; never returns."""
        try:
            # Threads of short lives should get their turn.
            sys.setswitchinterval(0.0005)
            log = self._open_log()
            threads = [
                threading.Thread(
                    target=self._ledger.write_until_stopped,
                    args=(log, stream, self._pace_s),
                )
                for stream in streams
            ]
            if self._has_meddlers:
                log.stats()  # what that imports can't be imported without descriptors
                threads.append(threading.Thread(target=_meddle, args=(log,)))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)


def _meddle(log: LogWriter) -> None:
    for meddle in itertools.cycle((archive, close_all)):
        try:
            meddle(log)
        except FileNotFoundError:
            pass  # a ring that another process has just ended
        except OSError as error:
            # What the log's thread had open for a moment was closed under it, so that
            # its close() met the archive, which has the number now.
            if error.errno != errno.EBADF:
                raise
        time.sleep(0.001)
