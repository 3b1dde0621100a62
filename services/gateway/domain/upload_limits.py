"""What a project takes of files, as far as it can be told before they come."""

from __future__ import annotations

from shared.labels.facts import Modality
from shared.labels.faults import Fault, quoted, suggestion
from shared.labels.spec import ProjectSpec

MAX_UPLOAD_BYTES = 50 * 1024**3

_MODALITIES: dict[str, frozenset[Modality]] = {
    "image": frozenset({"image"}),
    "audio": frozenset({"audio"}),
    "video": frozenset({"video", "audio"}),  # a container of video may hold sound alone
}


def upload_faults(spec: ProjectSpec, size: int, media_type: str, slot: str | None) -> list[Fault]:
    """Compare what is declared of a file with what the project's slots take.

    Args:
        spec: The project.
        size: Bytes.
        media_type: As declared; a generic type is for any slot.
        slot: The slot that it is for; without one, it has to fit some slot.

    Returns:
        All faults, with pointers into the request's body. What the file really holds is checked when it has come.
    """
    if slot is not None and slot not in spec.assets:
        message = f"{quoted(slot)} is not an asset of this project; {suggestion(slot, spec.assets)}"
        return [Fault(pointer="/slot", code="unknown-asset", message=message)]
    slots = {name: asset for name, asset in spec.assets.items() if asset.modality != "record" and slot in {None, name}}
    if not slots:
        message = "Records come inside their samples, and this project has no slot for a file; send them there."
        return [Fault(pointer="/slot", code="wrong-type", message=message)]
    faults = []
    named = _MODALITIES.get(media_type.partition("/")[0].lower())
    if named is not None and not any(asset.modality in named for asset in slots.values()):
        takes = ", ".join(sorted({asset.modality for asset in slots.values()}))
        message = f"The file is declared as {media_type}, but the project's slots take {takes}; send what fits."
        faults.append(Fault(pointer="/media_type", code="wrong-type", message=message))
    limits = [asset.max_bytes for asset in slots.values()]
    if all(limit is not None and size > limit for limit in limits):
        most = max(limit for limit in limits if limit is not None)
        message = (
            f"The file has {size} bytes; the project takes at most {most}. Send a smaller file, or raise the limit."
        )
        faults.append(Fault(pointer="/size", code="too-many-bytes", message=message))
    return faults
