"""The text of an event to the lines that the log backend writes of it."""

from auditring import encode
from auditring.errors import EventError
from auditring.event import Event

from . import Case


def check(case: Case) -> str | None:
    expected = case["expected"]
    try:
        event = Event.from_json(case["event"], strict=True)
    except EventError as error:
        return None if "decodeError" in expected else f"not read: {error}"
    if "decodeError" in expected:
        return f"read as {event}, not {expected['decodeError']}"
    try:
        line = encode.json_line(event, strict=True)
    except EventError as error:
        return f"not written: {error}" if expected["encoded"] else None
    found = {
        "encoded": True,
        "json": line.decode(),
        "size": len(line),
        "legacy": encode.legacy_line(event).decode(),
    }
    wrong = [
        f"{member}: {found[member]!r}, not {value!r}"
        for member, value in expected.items()
        if found[member] != value
    ]
    return "; ".join(wrong) or None
