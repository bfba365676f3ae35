"""A program to be packed: it uses what tools that look for imports don't see.

Its first argument says what to do, the second where.
"""

import gzip
import logging
import sys
from pathlib import Path


def drop_in(place: Path) -> None:
    """Log through the drop-in, with backups that are compressed."""
    from auditring.handlers import RotatingFileHandler

    handler = RotatingFileHandler(
        place / "app.log", maxBytes=2000, backupCount=300, compress="gzip"
    )
    logger = logging.Logger("app")
    logger.addHandler(handler)
    for number in range(200):
        logger.info("line %d", number)
    handler.close()
    lines = [line for path in place.iterdir() for line in lines_of(path)]
    assert set(lines) == {b"line %d" % number for number in range(200)}, lines


def lines_of(path: Path) -> list[bytes]:
    """Return the lines of a file of the log, none of its state directory."""
    if path.is_dir():
        return []
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()


def audit(place: Path) -> None:
    """Record events by a preset, which is a file of the package."""
    from auditring.handlers import AuditHandler

    logger = logging.Logger("app")
    handler = AuditHandler(place / "audit.log", policy=2)
    logger.addHandler(handler)
    logger.info("sold", extra={"user": "alice"})
    handler.close()
    assert b'"alice"' in (place / "audit.log").read_bytes()


def configure(place: Path) -> None:
    """Open an auditor from a configuration, and write through each compression."""
    from auditring import LogWriter
    from auditring.config import open_auditor

    text = f"audit:\n  enabled: true\n  level: 1\n  path: {place}/c.log\n"
    (place / "audit.yaml").write_text(text)
    open_auditor(place / "audit.yaml").close()
    for method in ("gzip", "zstd", "lz4"):
        log = LogWriter(place / f"{method}.log", max_bytes=1000, compress=method)
        for _ in range(100):
            log.write_json({"verb": "get", "at": place})
        log.close()


def serve(place: Path) -> None:
    """Audit a request of an ASGI application."""
    import asyncio

    from auditring import Auditor, LogWriter, Policy
    from auditring.middleware.asgi import AuditMiddleware

    async def shop(scope, receive, send) -> None:  # noqa: ANN001  # of ASGI
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"sold"})

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: object) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": "/api/v1/pods", "headers": []}
    scope |= {"query_string": b"", "client": ["10.0.0.1", 80], "raw_path": b""}
    auditor = Auditor(Policy.preset("application-3"), LogWriter(place / "served.log"))
    app = AuditMiddleware(shop, auditor)
    asyncio.run(app(scope, receive, send))
    auditor.close()
    assert b'"pods"' in (place / "served.log").read_bytes()


def command(*arguments: str) -> None:
    """Be the command line."""
    from auditring.cli import main

    main(list(arguments))


DEEDS = {each.__name__: each for each in (drop_in, audit, configure, serve)}

if __name__ == "__main__":
    if sys.argv[1] == "command":
        command(*sys.argv[2:])
    DEEDS[sys.argv[1]](Path(sys.argv[2]))
    print("all is well")
