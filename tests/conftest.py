"""What holds for every test: on CI, what a test needs has to be there."""

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

# That a machine is busy with other things is no failure.
settings.register_profile("auditring", deadline=None)
settings.load_profile("auditring")

# A shell that runs tests in the background ignores Ctrl-C for them and their children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _needs_something_absent(report: pytest.CollectReport | pytest.TestReport) -> bool:
    """Tell a skip for an absent service or tool from one for another reason."""
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return False
    reason = report.longrepr[2]
    return reason.removeprefix("Skipped: ").startswith("needs ")


def _fail_on_ci(report: pytest.CollectReport | pytest.TestReport) -> None:
    """Turn a skip whose reason starts with "needs " into a failure under CI."""
    if os.environ.get("AUDITRING_CI") == "1" and _needs_something_absent(report):
        report.longrepr = f"may not be skipped on CI: {report.longrepr[2]}"
        report.outcome = "failed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    report = yield
    _fail_on_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    report = yield
    _fail_on_ci(report)
    return report
