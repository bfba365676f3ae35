"""What our contenders have in common: a log that whoever opens it next recovers."""

from rivals.contender import Contender, Place

__all__ = ["Logged"]


class Logged(Contender):
    rotates = True
    compresses = True
    shares = True
    is_slow = False

    @classmethod
    def recover(cls, place: Place) -> None:
        writer = cls()
        writer.open(place)
        writer.drain()
        writer.close()
