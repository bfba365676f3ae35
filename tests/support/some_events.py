"""Hypothesis strategies for events, with every odd value that one may hold."""

import json

from hypothesis import strategies as st

from auditring.event import (
    AuthenticationMetadata,
    Event,
    Level,
    ObjectReference,
    Stage,
    UserInfo,
    rawjson,
)
from auditring.event.microtime import MicroTime
from auditring.event.status import (
    ListMeta,
    ShardInfo,
    Status,
    StatusCause,
    StatusDetails,
)

ODD = st.sampled_from(
    [
        *("", "a", "<b>&", '"\\/', "\b\f\n\r\t\0\x1f\x7f", "\u2028\u2029", "\u2027"),
        *("é€😀", "\ufffd", "\ud7ff", "\ue000", "\udcff\udc80", "\ud800", "x" * 3000),
    ]
)
STRINGS = ODD | st.text(max_size=20) | st.text(st.characters(codec="ascii"))
VALID_STRINGS = st.text(max_size=20)
INT32 = st.integers(-(2**31), 2**31 - 1)
# Years 1 to 9999, which are all that can be read, and somewhat beyond.
YEARS_1_TO_9999 = st.integers(-62_135_596_800, 253_402_300_799)
YEARS_BEYOND = st.integers(-62_198_755_200, 253_433_836_800)


def times(seconds: st.SearchStrategy[int]) -> st.SearchStrategy[MicroTime | None]:
    micros = st.builds(
        lambda s, us: s * 1_000_000 + us, seconds, st.integers(1, 999_999)
    )
    return st.none() | micros.map(MicroTime)


def json_values(strings: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | strings,
        lambda inner: st.lists(inner) | st.dictionaries(strings, inner),
        max_leaves=8,
    )


# A body that is null is read as none at all.
BODIES = st.none() | json_values(VALID_STRINGS).map(
    lambda value: rawjson.compact(json.dumps([value], ensure_ascii=False).encode())
)


def users(strings: st.SearchStrategy[str]) -> st.SearchStrategy[UserInfo]:
    lists = st.lists(strings, max_size=3).map(tuple)
    return st.builds(
        UserInfo,
        username=strings,
        uid=strings,
        groups=lists,
        extra=st.dictionaries(strings, st.none() | lists, max_size=3),
    )


def statuses(strings: st.SearchStrategy[str]) -> st.SearchStrategy[Status]:
    causes = st.builds(StatusCause, reason=strings, message=strings, field=strings)
    meta = st.builds(
        ListMeta,
        self_link=strings,
        resource_version=strings,
        continue_token=strings,
        remaining_item_count=st.none() | st.integers(-(2**63), 2**63 - 1),
        shard_info=st.none() | st.builds(ShardInfo, selector=strings),
    )
    details = st.builds(
        StatusDetails,
        name=strings,
        group=strings,
        kind=strings,
        uid=strings,
        causes=st.lists(causes, max_size=2).map(tuple),
        retry_after_seconds=INT32,
    )
    return st.builds(
        Status,
        code=INT32,
        status=strings,
        message=strings,
        reason=strings,
        details=st.none() | details,
        metadata=meta,
        kind=strings,
        api_version=strings,
    )


def events(
    strings: st.SearchStrategy[str] = STRINGS,
    bodies: st.SearchStrategy[bytes | None] = BODIES,
    seconds: st.SearchStrategy[int] = YEARS_BEYOND,
) -> st.SearchStrategy[Event]:
    return st.builds(
        Event,
        level=st.sampled_from(Level) | strings,
        audit_id=strings,
        stage=st.sampled_from(Stage) | strings,
        request_uri=strings,
        verb=strings,
        user=users(strings),
        impersonated_user=st.none() | users(strings),
        authentication_metadata=st.none()
        | st.builds(AuthenticationMetadata, impersonation_constraint=strings),
        source_ips=st.lists(strings, max_size=3).map(tuple),
        user_agent=strings,
        object_ref=st.none()
        | st.builds(
            ObjectReference,
            resource=strings,
            namespace=strings,
            name=strings,
            uid=strings,
            api_group=strings,
            api_version=strings,
            resource_version=strings,
            subresource=strings,
        ),
        response_status=st.none() | statuses(strings),
        request_object=bodies,
        response_object=bodies,
        request_received_timestamp=times(seconds),
        stage_timestamp=times(seconds),
        annotations=st.dictionaries(strings, strings, max_size=3),
    )
