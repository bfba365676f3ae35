"""Events and limits to the lines that the truncating backend passes on."""

from auditring.event import Event
from auditring.event.truncation import TruncationLimits, truncate

from . import Case


def check(case: Case) -> str | None:
    events = [Event.from_json(text, strict=True) for text in case["events"]]
    limits = TruncationLimits(
        max_event_bytes=case["maxEventSize"], max_batch_bytes=case["maxBatchSize"]
    )

    truncation = truncate(events, limits, strict=True)

    found = [[line.decode() for line in batch] for batch in truncation.batches]
    expected = case["expected"]["batches"]
    return None if found == expected else f"batches: {found}, not {expected}"
