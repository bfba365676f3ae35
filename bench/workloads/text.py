"""W1 and W2: formatted text, as `logger.info` writes it."""

from workloads.writing import Writing

__all__ = ["WORKLOADS"]

WORKLOADS = [
    Writing(
        "W1_text",
        "formatted text, one thread, as logger.info writes it",
        "text",
        limits=["NullHandler"],
    ),
    Writing(
        "W2_text_4_threads",
        "the same from 4 threads",
        "text",
        threads=4,
        limits=["NullHandler"],
    ),
]
