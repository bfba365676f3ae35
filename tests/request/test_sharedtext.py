"""Texts that requests have in common are shared, and never taken for each other."""

import random

from auditring.request.attributes import Attributes

TEXT_COUNT = 4000  # so that there are several for each slot


def resource_of(name: str) -> str:
    return Attributes.from_request("GET", f"/api/v1/{name}/x").resource


def test_texts_that_differ_in_one_place_stay_apart() -> None:
    chance = random.Random(1)
    for length in range(1, 41):
        for place in range(0, length, 3):
            before, behind = "a" * place, "a" * (length - place - 1)
            names = [before + letter + behind for letter in "bcdefghij"]

            assert [resource_of(name) for name in names * 2] == names * 2
            name = chance.choice(names)
            assert resource_of(name) == name


def test_texts_that_begin_alike_stay_apart() -> None:
    chance = random.Random(2)
    for start in ("", "a" * 8, "a" * 16, "a" * 24):
        for _ in range(TEXT_COUNT):
            name = start + f"{chance.getrandbits(32):x}"

            assert resource_of(name) == name


def test_a_text_and_its_beginning_stay_apart() -> None:
    for length in range(1, 41):
        assert resource_of("a" * length) == "a" * length


def test_a_text_that_came_before_is_the_same_object() -> None:
    assert resource_of("shoporders") is resource_of("shoporders")
