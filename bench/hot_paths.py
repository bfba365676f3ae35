"""The hot paths, each so many times: what `bench_guard.py` counts instructions of.

What a path needs is imported by it: an interpreter that starts with less is counted
sooner and more evenly.

Usage: hot_paths.py NAME COUNT FOLDER
"""

import sys
from collections.abc import Callable
from pathlib import Path

from lines import cycled, load_lines

from auditring import LogWriter

__all__ = ["HOT_PATHS"]

MESSAGE = "request %s took %d ms"


def write(folder: Path, count: int) -> None:
    """LogWriter.write of a ready line of 1 KB."""
    with LogWriter(folder / "audit.log", max_bytes=0) as log:
        for line in cycled(load_lines(), count):
            log.write(line)


def write_json(folder: Path, count: int) -> None:
    """LogWriter.write_json of an event of 1 KB."""
    import orjson

    events = [orjson.loads(line) for line in load_lines()]
    with LogWriter(folder / "audit.log", max_bytes=0) as log:
        for event in cycled(events, count):
            log.write_json(event)


def logger_info(folder: Path, count: int) -> None:
    """logger.info with the drop-in handler and the usual format."""
    from loggers import logger_of

    from auditring.handlers import RotatingFileHandler

    handler = RotatingFileHandler(folder / "app.log")
    logger = logger_of(handler)
    for number in range(count):
        logger.info(MESSAGE, "abc", number)
    handler.close()


def logger_info_installed(folder: Path, count: int) -> None:
    """The same by a logger of install()."""
    from loggers import logger_of

    from auditring.handlers import RotatingFileHandler
    from auditring.handlers.install import FastLogger

    handler = RotatingFileHandler(folder / "app.log")
    logger = logger_of(handler, FastLogger)
    for number in range(count):
        logger.info(MESSAGE, "abc", number)
    handler.close()


def audit_request(folder: Path, count: int) -> None:
    """A decision, a line of level Metadata, and the ring."""
    from audited import policy_for_everything, sample_requests

    from auditring.event.stage import stage_line

    policy, requests = policy_for_everything(), sample_requests()
    with LogWriter(folder / "audit.log", max_bytes=0) as log:
        for request in cycled(requests, count):
            policy.evaluate(request[0])
            log.write(stage_line(*request))


def audit_two_stages(folder: Path, count: int) -> None:
    """A request through an Auditor: RequestReceived and ResponseComplete."""
    from audited import policy_for_everything, sample_requests

    from auditring.audit.auditor import Auditor

    requests = sample_requests()
    with LogWriter(folder / "audit.log", max_bytes=0) as log:
        auditor = Auditor(policy_for_everything(), log)
        for attributes, *_ in cycled(requests, count):
            request = auditor.begin(attributes)
            request.receive()
            request.start_response(200)
            request.complete()


HOT_PATHS: dict[str, Callable[[Path, int], None]] = {
    path.__name__: path
    for path in (
        write,
        write_json,
        logger_info,
        logger_info_installed,
        audit_request,
        audit_two_stages,
    )
}


if __name__ == "__main__":
    name, count, folder = sys.argv[1:]
    HOT_PATHS[name](Path(folder), int(count))
