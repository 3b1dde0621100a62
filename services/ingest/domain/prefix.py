"""Which objects below a prefix make up a sample, and which slot each is for: told by their names alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from services.ingest.domain.formats import extensions_of
from shared.labels.faults import Fault, listed, quoted
from shared.labels.spec import FILES, ProjectSpec


class Object(NamedTuple):
    """An object of a bucket as it was listed."""

    key: str
    """Its name below the prefix."""
    uri: str
    etag: str
    modified_ms: int = 0


class Group(NamedTuple):
    """The objects of one sample."""

    external_id: str
    objects: tuple[Object, ...]


def groups(objects: Iterable[Object], spec: ProjectSpec) -> list[Group]:
    """Put objects together that make up a sample.

    Args:
        objects: In the order of their keys. Hidden ones (a part of the name begins with a dot) and folders are left out.
        spec: The project. With one slot for files, each object is a sample, by its key. With several, those are one
            that lie in one folder and whose names are the same up to their first dot; in the order of keys they come
            together.
    """
    seen = (each for each in objects if is_seen(each.key))
    if len(file_slots(spec)) == 1:
        return [Group(each.key, (each,)) for each in seen]
    return [Group(name, tuple(some)) for (name, _), some in groupby(seen, key=lambda each: name_of(each.key))]


def is_seen(key: str) -> bool:
    """Return whether an object of this name counts at all."""
    return not key.endswith("/") and not any(part.startswith(".") or not part for part in key.split("/"))


def name_of(key: str) -> tuple[str, str]:
    """Return a key up to the first dot of its file name, and the dot if there is one: a name without is one by itself."""
    folder, slash, name = key.rpartition("/")
    begins, dot, _ = name.partition(".")
    return folder + slash + begins, dot


def file_slots(spec: ProjectSpec) -> list[str]:
    """Return the slots that take files."""
    return [slot for slot, asset in spec.assets.items() if asset.modality in FILES]


def sample_of(group: Group, spec: ProjectSpec) -> tuple[dict[str, Any], list[Fault]]:
    """Return a group as the line of an import, and what is wrong with its names.

    An object's slot is the last but one part of its name, ``visit-7.scan.png``, where that is a slot; else the only one
    that takes files of its ending.
    """
    assets: dict[str, Any] = {}
    faults: list[Fault] = []
    for each in group.objects:
        slots = _slots_for(each.key, spec)
        if len(slots) != 1:
            faults.append(_unclear(each, slots, file_slots(spec)))
        elif slots[0] in assets:
            message = f"Two objects are for {quoted(slots[0])}, the second is {each.uri}; rename or move one of them."
            faults.append(Fault(pointer=f"/assets/{slots[0]}", code="two-objects", message=message))
        else:
            assets[slots[0]] = {"uri": each.uri, "etag": each.etag}
    return {"external_id": group.external_id, "assets": assets}, faults


def _slots_for(key: str, spec: ProjectSpec) -> list[str]:
    slots = file_slots(spec)
    if len(slots) == 1:
        return slots
    parts = key.rpartition("/")[2].split(".")
    named = parts[-2] if len(parts) > 2 else None
    if named in slots:
        return [named]
    ending = parts[-1].lower() if len(parts) > 1 else ""
    return [slot for slot in slots if ending in extensions_of(spec.assets[slot].modality)]


def _unclear(found: Object, fitting: Sequence[str], slots: Sequence[str]) -> Fault:
    which = f"is for any of {listed(fitting)}" if fitting else f"is for none of {listed(slots)} by its ending"
    message = f"{found.uri} {which}; name it like {name_of(found.key)[0]}.{(fitting or slots)[0]}.ending."
    return Fault(pointer="/assets", code="unclear-slot", message=message)
