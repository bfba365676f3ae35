"""Applications served on loopback by real servers, and a client for them."""

import http.client
import socketserver
import threading
import wsgiref.simple_server
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from wsgiref.types import WSGIApplication

import uvicorn

from auditring.middleware.asgi import App

LIMIT_S = 20


@dataclass
class Answer:
    """What a server answered."""

    code: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Client:
    """Sends requests to a server, each over a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def send_many(self, method: str, target: str, count: int, threads: int) -> None:
        """Send *count* requests from each of *threads* threads, over one connection."""

        def send() -> None:
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=LIMIT_S
            )
            for number in range(count):
                connection.request(method, target.format(number))
                connection.getresponse().read()
            connection.close()

        senders = [threading.Thread(target=send) for _ in range(threads)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()


@contextmanager
def asgi_server(app: App) -> Iterator[Client]:
    """Serve an ASGI application with uvicorn, in a thread of its own."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, lifespan="off", loop="asyncio"
    )
    server = uvicorn.Server(config)
    sockets = [config.bind_socket()]
    # Clients that come before the server gets there wait.
    sockets[0].listen()
    thread = threading.Thread(target=server.run, args=(sockets,))
    thread.start()
    try:
        yield Client(sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(LIMIT_S)


class _ThreadingServer(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = False  # each answer is through once the server is closed


class _QuietHandler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def get_stderr(self) -> "_Nowhere":  # type: ignore[override]
        return _Nowhere()


class _Nowhere:
    def write(self, text: str) -> None:
        pass

    def flush(self) -> None:
        pass


@contextmanager
def wsgi_server(app: WSGIApplication) -> Iterator[Client]:
    """Serve a WSGI application with the standard library's server, a thread each."""
    server = wsgiref.simple_server.make_server(
        "127.0.0.1", 0, app, _ThreadingServer, _QuietHandler
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Client(server.server_port)
    finally:
        server.shutdown()
        thread.join(LIMIT_S)
        server.server_close()
