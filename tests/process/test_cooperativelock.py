"""A lock for threads and greenlets; for the latter see test_greenlets."""

import signal
import threading

from auditring.process._cooperativelock import CooperativeLock

LIMIT_S = 30.0


def take_elsewhere(lock: CooperativeLock) -> bool:
    """Tell whether another thread gets *lock* at once."""
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(lock.take()))
    thread.start()
    thread.join(LIMIT_S)
    return taken[0]


def test_one_thread_enters_as_often_as_it_wants() -> None:
    lock = CooperativeLock()

    with lock, lock:
        is_taken_inside = take_elsewhere(lock)
    is_taken_after = take_elsewhere(lock)

    assert not is_taken_inside
    assert is_taken_after


def test_another_thread_waits_until_it_is_given_back() -> None:
    lock = CooperativeLock()
    steps: list[str] = []

    def enter() -> None:
        with lock:
            steps.append("entered")

    with lock:
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(0.05)
        steps.append("left")
    thread.join(LIMIT_S)

    assert steps == ["left", "entered"]


def test_what_is_raised_inside_gives_it_back() -> None:
    lock = CooperativeLock()

    try:
        with lock:
            raise ValueError
    except ValueError:
        pass

    assert take_elsewhere(lock)


def test_a_signal_handler_enters_whatever_it_interrupts() -> None:
    lock = CooperativeLock()
    entered: list[int] = []

    def enter(number: int, frame: object) -> None:
        with lock:
            entered.append(number)

    before = signal.signal(signal.SIGALRM, enter)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    try:
        while len(entered) < 100:
            with lock, lock:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert take_elsewhere(lock)
