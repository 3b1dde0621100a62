"""Arbitrary JSON from outside, made harmless and canonical."""

import json
import math
from typing import Any, Final, NamedTuple

import orjson

from shared.labels.faults import Fault, pointer_of, quoted
from shared.labels.values import has_lone_surrogate

MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_INTEGER = 2**53 - 1
"""Beyond it JSON readers that use doubles lose digits (RFC 7493 section 2.2)."""


_ROUNDED_FROM: Final = 2.0**63
"""An integer that orjson makes a float of is at least as large."""


def read_json(text: bytes | str) -> Any:
    """Read JSON, with integers of any length as integers: orjson alone would round those beyond 64 bits, and not say so.

    Args:
        text: JSON; as bytes, in UTF-8.

    Raises:
        orjson.JSONDecodeError: It is no JSON, or a number in it is larger than any float (1.8e308).
    """
    found = orjson.loads(text)
    if not _has_large_float(found):
        return found
    try:
        return json.loads(text)
    except RecursionError:
        return found  # nested as deep as nothing may be: refused whatever its numbers are


def _has_large_float(value: object) -> bool:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, float):
            if abs(each) >= _ROUNDED_FROM:
                return True
        elif isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False


class JsonChecked(NamedTuple):
    """A canonical copy of a JSON value, or what is wrong with it."""

    value: Any
    faults: list[Fault]


def check_json(raw: object, *, most: int = MAX_NODES) -> JsonChecked:
    """Copy a JSON value into canonical form, or say why it cannot be kept.

    Args:
        raw: What a JSON or YAML reader gave.
        most: Values that it may hold, counting objects and lists themselves.

    Returns:
        The value with whole floats as integers and zero without a sign; or faults for values that are not JSON,
        NaN, infinity, integers beyond 2**53 - 1, lone surrogates, NUL, and more than ``MAX_DEPTH`` levels or
        ``most`` values.
    """
    faults: list[Fault] = []
    copied = _Copy(faults, most).of(raw, ())
    return JsonChecked(None, faults) if faults else JsonChecked(copied, faults)


class _Copy:
    """One walk over a value; it counts what it has seen."""

    def __init__(self, faults: list[Fault], most: int) -> None:
        self._faults = faults
        self._most = most
        self._nodes = 0

    def of(self, raw: object, path: tuple[str | int, ...]) -> Any:
        self._nodes += 1
        if self._nodes > self._most:
            if self._nodes == self._most + 1:
                self._refuse(
                    (), "too-long", f"The value holds more than {self._most} values; split it or leave some out."
                )
            return None
        if raw is None or isinstance(raw, bool):
            return raw
        if isinstance(raw, str):
            return self._text(raw, path)
        if isinstance(raw, int | float):
            return self._number(raw, path)
        if len(path) >= MAX_DEPTH:
            return self._refuse(path, "too-deep", f"The value is nested deeper than {MAX_DEPTH} levels; flatten it.")
        if isinstance(raw, dict):
            return {self._key(key, path): self.of(value, (*path, str(key))) for key, value in raw.items()}
        if isinstance(raw, list | tuple):
            return [self.of(value, (*path, position)) for position, value in enumerate(raw)]
        return self._refuse(path, "wrong-type", f"A {type(raw).__name__} is not JSON; write it as a string.")

    def _key(self, key: object, path: tuple[str | int, ...]) -> str:
        if not isinstance(key, str):
            self._refuse((*path, str(key)), "wrong-type", f"The key {quoted(key)} must be a string; put it in quotes.")
            return ""
        return self._text(key, (*path, key))

    def _text(self, text: str, path: tuple[str | int, ...]) -> str:
        if has_lone_surrogate(text) or "\x00" in text:
            message = f"{quoted(text)} holds half a character (a lone surrogate) or a NUL; send valid Unicode text."
            self._refuse(path, "malformed", message)
        return text

    def _number(self, number: float, path: tuple[str | int, ...]) -> float:
        if isinstance(number, float):
            if not math.isfinite(number):
                self._refuse(path, "not-finite", "NaN and infinity are not JSON; send null or a number.")
                return number
            return int(number) if number.is_integer() and abs(number) <= MAX_INTEGER else number
        if abs(number) > MAX_INTEGER:
            message = f"{quoted(number)} is beyond 2^53 - 1, where readers lose digits; send it as a string."
            self._refuse(path, "out-of-range", message)
        return number

    def _refuse(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        self._faults.append(Fault(pointer=pointer_of(path), code=code, message=message))
