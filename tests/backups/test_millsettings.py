"""Settings of a mill are checked by name."""

from typing import Any

import pytest

from auditring.backups.mill import MillSettings


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"compress": "bzip2"}, "compress: expected None, 'gzip', .* got 'bzip2'"),
        ({"dialect": "java"}, "dialect: expected 'lumberjack', .* got 'java'"),
        ({"max_backups": -1}, "max_backups: expected 0 or more, got -1"),
        ({"max_age_days": -0.5}, "max_age_days: expected 0 or more, got -0.5"),
        ({"max_age_days": float("nan")}, "max_age_days: expected 0 or more, got nan"),
        ({"max_total_bytes": -9}, "max_total_bytes: expected 0 or more, got -9"),
        ({"compress_level": 3}, "compress_level: 3 without a compression"),
        ({"compress": "gzip", "compress_level": 0}, "expected 1 to 9 for gzip, got 0"),
        ({"compress": "zstd", "compress_level": 23}, "expected 1 to 22 for zstd"),
        ({"compress": "lz4", "compress_level": 17}, "expected 0 to 16 for lz4"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        MillSettings(**wrong)
