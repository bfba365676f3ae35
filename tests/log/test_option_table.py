"""The table of a log's options: who adds one is told wherever else it has to stand."""

import inspect
import pickle
from typing import get_type_hints

import pytest

import auditring
from auditring import LogWriter
from auditring.config.keys import KEYS
from auditring.config.rules import _NO_KEYS, _WRITER_OPTIONS
from auditring.files.formats import Compression
from auditring.files.names import Dialect
from auditring.handlers import HandlerOptions
from auditring.log.options import (
    DEFAULTS,
    OPTIONS,
    LogOptions,
    WrongOptionError,
    WrongOptionTypeError,
    check_options,
)

# What a handler of logging decides itself.
OF_HANDLERS = {"max_bytes", "max_backups", "dialect", "mode", "adopt_settings"}
# What a command has no way to give, or does in another way.
NOT_OF_WRITE = {
    *("on_error", "adopt_settings", "block_timeout", "on_timeout"),
    *("keep_for_followers", "wipe_on_drain", "allow_network_fs"),
    *("space_warn_bytes", "space_critical_bytes"),
}


def test_every_option_has_a_type() -> None:
    assert set(LogOptions.__annotations__) == set(OPTIONS)


def test_every_option_is_described_where_users_look() -> None:
    text = LogWriter.__init__.__doc__ or ""

    assert [name for name in OPTIONS if f"\n            {name}: " not in text] == []


def test_every_option_is_one_of_a_handler_or_is_decided_by_it() -> None:
    names = set(HandlerOptions.__annotations__) & set(OPTIONS)

    assert set(OPTIONS) - names == OF_HANDLERS


def test_every_option_is_a_key_of_the_configuration() -> None:
    assert set(OPTIONS) - set(_WRITER_OPTIONS) == set(_NO_KEYS)
    assert set(_WRITER_OPTIONS.values()) <= set(KEYS)


def test_every_option_is_one_of_the_command_or_is_left_out_on_purpose() -> None:
    from auditring.cli import main

    names = {parameter.name for parameter in main.commands["write"].params}

    assert set(OPTIONS) - names == NOT_OF_WRITE


def test_keys_that_take_a_restart_are_the_options_that_last() -> None:
    lasting = {_WRITER_OPTIONS[name] for name, one in OPTIONS.items() if one.is_lasting}

    assert [path for path in lasting if not KEYS[path].is_fixed] == []


def test_each_default_passes_its_own_check() -> None:
    checked = check_options(DEFAULTS)

    assert set(checked) == {option.field for option in OPTIONS.values()}


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_what_is_wrong_is_told_with_the_name_of_the_option(name: str) -> None:
    with pytest.raises((WrongOptionError, WrongOptionTypeError)) as raised:
        check_options({**DEFAULTS, name: b"?"})

    assert raised.value.option == name
    assert str(raised.value) == f"{name}: {raised.value.reason}"
    again = pickle.loads(pickle.dumps(raised.value))
    assert (type(again), str(again)) == (type(raised.value), str(raised.value))


def test_an_option_that_there_is_not_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(TypeError, match=r"'max_byte'.*max_bytes"):
        LogWriter("-", max_byte=1)  # type: ignore[call-arg]


def test_a_class_with_arguments_of_its_own_shows_its_own() -> None:
    class Named(LogWriter):
        def __init__(self, name: str) -> None:
            super().__init__(f"/tmp/{name}")

    assert list(inspect.signature(Named).parameters) == ["name"]
    assert list(inspect.signature(auditring.LogWriter).parameters) == ["path", *OPTIONS]


def test_types_of_options_can_be_asked_for() -> None:
    names = {"Compression": Compression, "Dialect": Dialect}

    assert set(get_type_hints(LogOptions, localns=names)) == set(OPTIONS)
