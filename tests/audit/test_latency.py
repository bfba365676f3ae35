import pytest

from auditring.audit.latency import duration_text, latency_annotations

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (500_000_000, "500ms"),
        (999_999_999, "999.999999ms"),
        (SECOND, "1s"),
        (3_300_000_000, "3.3s"),
        (60 * SECOND, "1m0s"),
        (245 * SECOND, "4m5s"),
        (245 * SECOND + 1_000_000, "4m5.001s"),
        (3600 * SECOND, "1h0m0s"),
        (5 * 3600 * SECOND + 7 * SECOND + 1_000, "5h0m7.000001s"),
        (-1_500_000, "-1.5ms"),
    ],
)
def test_a_duration_is_written_as_go_does(ns: int, text: str) -> None:
    assert duration_text(ns) == text


def test_a_quick_request_has_no_annotations() -> None:
    assert latency_annotations(500_000_000, {"etcd": 400_000_000}) == {}


def test_parts_that_took_no_time_are_left_out() -> None:
    assert latency_annotations(SECOND, {"etcd": SECOND // 2, "impersonation": 0}) == {
        "apiserver.latency.k8s.io/etcd": "500ms",
        "apiserver.latency.k8s.io/total": "1s",
    }
