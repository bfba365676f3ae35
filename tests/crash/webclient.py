"""A client of the web application of webapp.py, that remembers what was answered."""

import http.client
import itertools
import threading

__all__ = ["LIMIT_S", "Client", "Id"]

LIMIT_S = 60.0

Id = tuple[int, int]
"""Of a request: the number of its client, and its own."""


class Client:
    """Sends requests one after the other, as long as it is told to.

    Every second one opens a connection for each, which any worker may accept.
    """

    def __init__(self, port: int, number: int) -> None:
        self.answered: set[Id] = set()
        self.unanswered: set[Id] = set()
        self.workers: set[tuple[int, int]] = set()  # pid and user
        self.problem = ""
        self._number = number
        self._headers = {"Connection": "close"} if number % 2 else {}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, LIMIT_S)

    def run(self, is_over: threading.Event) -> None:
        """Ask until *is_over*."""
        for number in itertools.count():
            if is_over.is_set() or self.problem:
                break
            request = self._number, number
            worker = self._ask(request)
            if worker is None:
                self.unanswered.add(request)
            else:
                self.answered.add(request)
                self.workers.add(worker)
        self._connection.close()

    def _ask(self, request: Id) -> tuple[int, int] | None:
        """Return pid and user of the worker that answered, None if none did."""
        stream, number = request
        target = f"/?stream={stream}&number={number}"
        connection = self._connection
        try:
            # A new connection, where the server ended the one before.
            headers = {"Audit-ID": id_text(request), **self._headers}
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return None
        if response.status != 200:
            self.problem = f"request {target}: {response.status}: {body!r:.500}"
            return None
        pid, user = map(int, body.split())
        return pid, user


def id_text(request: Id) -> str:
    """Return the id of a request as its Audit-ID has it."""
    return "-".join(map(str, request))
