"""Threads and waits that nobody patches.

Who else may be there: a library that made greenlets of all threads, a signal handler or
a finalizer that sets an event its own thread waits for, a fork, the end of the
interpreter.
"""

import os
import signal
import sys
import textwrap
import threading
import time
from typing import Any

import pytest
from bystander import wait_until
from kernelthreads import threads_called
from programs import run

from auditring.process._nativethread import NativeEvent, NativeLock, NativeThread, sleep

LIMIT_S = 30.0


def test_a_thread_runs_its_function_under_its_name() -> None:
    may_end = NativeEvent()
    thread = NativeThread(lambda: may_end.wait(LIMIT_S), "a-name")

    thread.start()
    wait_until(lambda: threads_called("a-name"))
    was_alive = thread.is_alive
    may_end.set()
    is_gone = thread.join(LIMIT_S)

    assert was_alive
    assert is_gone
    assert not thread.is_alive
    assert threads_called("a-name") == []


def test_a_thread_starts_once() -> None:
    calls: list[int] = []
    thread = NativeThread(lambda: calls.append(1), "once")

    thread.start()
    thread.start()
    thread.join(LIMIT_S)
    thread.start()

    assert calls == [1]


def test_join_gives_up_after_its_limit() -> None:
    may_end = NativeEvent()
    thread = NativeThread(lambda: may_end.wait(LIMIT_S), "slow")
    thread.start()

    assert not thread.join(0.01)

    may_end.set()
    assert thread.join(LIMIT_S)


def test_a_thread_knows_that_it_is_the_current_one() -> None:
    found: list[bool] = []
    thread = NativeThread(lambda: found.append(thread.is_current()), "current")

    thread.start()
    thread.join(LIMIT_S)

    assert found == [True]
    assert not thread.is_current()


def test_what_a_thread_raises_goes_to_the_hook_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda info: told.append(info.exc_type))
    thread = NativeThread(lambda: 1 / 0, "fails")

    thread.start()
    thread.join(LIMIT_S)

    assert told == [ZeroDivisionError]
    assert capfd.readouterr().err == ""


def test_no_signal_is_delivered_in_a_thread() -> None:
    blocked: list[set[int]] = []
    thread = NativeThread(
        lambda: blocked.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        "signals",
    )

    thread.start()
    thread.join(LIMIT_S)

    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} <= blocked[0]
    assert not {signal.SIGSEGV, signal.SIGBUS} & blocked[0]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_thread_of_the_parent_is_none_of_the_child() -> None:
    may_end = NativeEvent()
    thread = NativeThread(lambda: may_end.wait(LIMIT_S), "parents")
    thread.start()

    pid = os.fork()
    if not pid:
        os._exit(thread.is_alive or not thread.join(LIMIT_S))
    status = os.waitpid(pid, 0)[1]
    may_end.set()
    thread.join(LIMIT_S)

    assert status == 0


def test_an_event_that_was_set_lets_one_wait_go_on() -> None:
    event = NativeEvent()

    event.set()
    event.set()

    assert event.wait(0)
    assert not event.wait(0.001)


def test_a_signal_handler_may_set_what_its_thread_waits_for() -> None:
    event = NativeEvent()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: event.set())
    try:
        timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGUSR1])
        timer.start()

        assert event.wait(LIMIT_S)
    finally:
        signal.signal(signal.SIGUSR1, before)
        timer.join()


def test_a_lock_is_held_by_one_at_a_time() -> None:
    lock = NativeLock()

    with lock:
        assert not lock.acquire(0)
        assert not lock.acquire(0.001)
    assert lock.acquire(0)
    lock.release()


def test_sleep_takes_its_time() -> None:
    began = time.monotonic()

    sleep(0.02)

    assert time.monotonic() - began >= 0.02


def test_an_interpreter_ends_beside_a_thread_that_works_and_one_that_waits() -> None:
    program = """
        from auditring.process._nativethread import NativeEvent, NativeThread
        def work():
            while True:
                sum(range(1000))
        NativeThread(work, "works").start()
        NativeThread(lambda: NativeEvent().wait(), "waits").start()
        print("ended")
    """

    assert run(textwrap.dedent(program)) == "ended\n"
