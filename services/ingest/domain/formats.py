"""Which file formats each modality takes, how to know them by their first bytes, and what they may be called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

import puremagic

from services.ingest.domain.rejection import MediaRejectedError

HEAD_BYTES = 4096
"""How much of a file :func:`detect` wants to see."""

GENERIC_MEDIA_TYPES = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded"}
)
"""What clients send when they do not know; it contradicts nothing. (curl's default is the last.)"""


@dataclass(frozen=True)
class MediaFormat:
    """One file format that ingest takes.

    Attributes:
        name: Its name in messages.
        media_types: By modality, the canonical media type; its keys are the modalities that take the format.
        extensions: Lower case, without the dot.
        aliases: Further media types that clients rightly or habitually declare for it.
        decoder: Pillow's name of the format, or libav's of the demuxer. Naming it keeps both libraries from guessing:
            libav's guess may be a playlist, which would open other files and addresses.
    """

    name: str
    media_types: dict[str, str]
    extensions: frozenset[str]
    aliases: frozenset[str] = frozenset()
    decoder: str = ""


def _image(name: str, extensions: str, *aliases: str) -> MediaFormat:
    media_type = f"image/{name.lower()}"
    return MediaFormat(name, {"image": media_type}, frozenset(extensions.split()), frozenset(aliases), decoder=name)


PNG = _image("PNG", "png apng", "image/x-png", "image/apng")
JPEG = _image("JPEG", "jpg jpeg jpe jfif", "image/jpg", "image/pjpeg")
GIF = _image("GIF", "gif")
WEBP = _image("WEBP", "webp")
BMP = _image("BMP", "bmp dib", "image/x-ms-bmp", "image/x-bmp")
TIFF = _image("TIFF", "tif tiff", "image/tif")
WAV = MediaFormat(
    "WAV",
    {"audio": "audio/wav"},
    frozenset({"wav", "wave"}),
    frozenset({"audio/x-wav", "audio/wave", "audio/vnd.wave"}),
    "wav",
)
FLAC = MediaFormat("FLAC", {"audio": "audio/flac"}, frozenset({"flac"}), frozenset({"audio/x-flac"}), "flac")
MP3 = MediaFormat("MP3", {"audio": "audio/mpeg"}, frozenset({"mp3"}), frozenset({"audio/mp3", "audio/x-mp3"}), "mp3")
AAC = MediaFormat("AAC", {"audio": "audio/aac"}, frozenset({"aac"}), frozenset({"audio/aacp", "audio/x-aac"}), "aac")
OGG = MediaFormat(
    "Ogg",
    {"audio": "audio/ogg"},
    frozenset({"ogg", "oga", "opus", "spx"}),
    frozenset({"application/ogg", "audio/opus", "audio/vorbis", "video/ogg"}),
    "ogg",
)
MP4 = MediaFormat(
    "MP4",
    {"video": "video/mp4", "audio": "audio/mp4"},
    frozenset({"mp4", "m4v", "m4a", "m4b", "mov", "qt"}),
    frozenset({"video/quicktime", "video/x-m4v", "audio/x-m4a", "audio/m4a", "application/mp4"}),
    "mov",
)
MATROSKA = MediaFormat(
    "Matroska",
    {"video": "video/x-matroska", "audio": "audio/x-matroska"},
    frozenset({"mkv", "mka"}),
    frozenset({"video/matroska", "audio/matroska"}),
    "matroska",
)
WEBM = MediaFormat(
    "WebM", {"video": "video/webm", "audio": "audio/webm"}, frozenset({"webm", "weba"}), frozenset(), "matroska"
)
TEXT = MediaFormat(
    "plain text",
    {"text": "text/plain"},
    frozenset({"txt", "text", "md", "html", "htm", "xml", "json", "csv", "tsv", "srt", "vtt", "rttm"}),
    frozenset({"application/json", "application/xml", "application/x-subrip"}),
)
CSV = MediaFormat(
    "CSV",
    {"sensor": "text/csv"},
    frozenset({"csv", "tsv", "txt"}),
    frozenset({"text/tab-separated-values", "text/plain", "application/csv", "application/vnd.ms-excel"}),
)
PDF = MediaFormat("PDF", {"document": "application/pdf"}, frozenset({"pdf"}), frozenset({"application/x-pdf"}))
MCAP = MediaFormat("MCAP", {"sensor": "application/x-mcap"}, frozenset({"mcap"}), frozenset({"application/mcap"}))
PARQUET = MediaFormat(
    "Parquet",
    {"sensor": "application/vnd.apache.parquet"},
    frozenset({"parquet", "pq"}),
    frozenset({"application/parquet", "application/x-parquet"}),
)

FORMATS = (
    PNG,
    JPEG,
    GIF,
    WEBP,
    BMP,
    TIFF,
    WAV,
    FLAC,
    MP3,
    AAC,
    OGG,
    MP4,
    MATROSKA,
    WEBM,
    TEXT,
    CSV,
    PDF,
    MCAP,
    PARQUET,
)
WRITTEN = {"text": TEXT, "sensor": CSV}
"""The modalities whose files are text and so have no signature."""
KNOWN_EXTENSIONS = frozenset(extension for known in FORMATS for extension in known.extensions)


def extensions_of(modality: str) -> frozenset[str]:
    """Return the extensions of all formats that a modality takes."""
    return frozenset(extension for known in FORMATS if modality in known.media_types for extension in known.extensions)


_PICTURE_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1"})


def _is_mpeg_frame(head: bytes, layers: frozenset[int]) -> bool:
    """Whether an MPEG audio header with one of ``layers`` (00 is AAC's ADTS, 01 is layer III) opens the file."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    return (head[1] >> 1) & 3 in layers and (0 in layers or (head[2] >> 4 not in (0, 15) and (head[2] >> 2) & 3 != 3))


_SIGNATURES: tuple[tuple[MediaFormat, Callable[[bytes], bool]], ...] = (
    (PNG, lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    (JPEG, lambda head: head.startswith(b"\xff\xd8\xff")),
    (GIF, lambda head: head.startswith((b"GIF87a", b"GIF89a"))),
    (WEBP, lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP"),
    (TIFF, lambda head: head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))),
    # "BM" alone opens many a text; in a bitmap the size of its second header follows, one of a known few.
    (
        BMP,
        lambda head: (
            head.startswith(b"BM") and head[14:18] in {bytes([n, 0, 0, 0]) for n in (12, 40, 52, 56, 64, 108, 124)}
        ),
    ),
    (WAV, lambda head: head.startswith((b"RIFF", b"RF64", b"BW64")) and head[8:12] == b"WAVE"),
    (FLAC, lambda head: head.startswith(b"fLaC")),
    (PDF, lambda head: head.startswith(b"%PDF-")),
    (MCAP, lambda head: head.startswith(b"\x89MCAP0\r\n")),
    (PARQUET, lambda head: head.startswith((b"PAR1", b"PARE"))),
    (OGG, lambda head: head.startswith(b"OggS\0")),
    (MP4, lambda head: head[4:8] == b"ftyp" and head[8:12] not in _PICTURE_BRANDS),
    (MP4, lambda head: head[4:8] in {b"moov", b"wide", b"mdat"} and head[0] == 0),
    (WEBM, lambda head: head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:64]),
    (MATROSKA, lambda head: head.startswith(b"\x1aE\xdf\xa3") and b"matroska" in head[:64]),
    (MP3, lambda head: head.startswith(b"ID3") and head[3:4] in {b"\2", b"\3", b"\4"}),
    (AAC, lambda head: head[:2] in {b"\xff\xf1", b"\xff\xf9"} and _is_mpeg_frame(head, frozenset({0}))),
    (MP3, lambda head: _is_mpeg_frame(head, frozenset({1, 2}))),
)


def detect(head: bytes) -> MediaFormat | None:
    """Name the media format that a file's first bytes are the signature of.

    Args:
        head: The first :data:`HEAD_BYTES` of the file, or all of it.

    Returns:
        The format, or None where the bytes open no media file that ingest takes (plain text among them).

    Source: WHATWG, "MIME Sniffing Standard", section 6, and the formats' own specifications.
    """
    return next((known for known, matches in _SIGNATURES if matches(head)), None)


def identify(head: bytes, modality: str, filename: str, declared_media_type: str | None) -> MediaFormat:
    """Decide which format a file is read as: its content, slot, name and declared type must agree.

    Args:
        head: The first :data:`HEAD_BYTES` of the file.
        modality: What the slot asks for: text, image, audio, video or sensor.
        filename: The name the client gave; only its extension matters, and one that we do not know says nothing.
        declared_media_type: The media type the client gave, parameters allowed; None and generic types say nothing.

    Raises:
        MediaRejectedError: ``wrong-type`` where the content is not of the modality, ``wrong-extension`` or
            ``wrong-media-type`` where the name or the declared type contradict the content.
    """
    found = detect(head)
    if found is None and modality in WRITTEN and not _is_packed(head):
        found = WRITTEN[modality]
    if found is None or modality not in found.media_types:
        takes = [known.name for known in FORMATS if modality in known.media_types] or ["it inside the sample"]
        content = found.name if found else _describe(head)
        raise MediaRejectedError(
            "wrong-type", f"The content is {content}, but the slot asks for {modality}; send {' or '.join(takes)}."
        )
    extension = PurePosixPath(filename).suffix.lower().removeprefix(".")
    if extension in KNOWN_EXTENSIONS - found.extensions:
        raise MediaRejectedError(
            "wrong-extension",
            f"The file is named .{extension}, but is read as {found.name}; "
            f"rename it to .{min(found.extensions, key=len)} or send the file that was meant.",
        )
    _check_declared(found, modality, declared_media_type)
    return found


def _check_declared(found: MediaFormat, modality: str, declared_media_type: str | None) -> None:
    declared = (declared_media_type or "").partition(";")[0].strip().lower()
    fits = declared in GENERIC_MEDIA_TYPES | found.aliases or declared in found.media_types.values()
    if not fits and not (found is TEXT and declared.startswith("text/")):
        raise MediaRejectedError(
            "wrong-media-type",
            f"The media type was declared as {declared}, but the file is read as {found.name}; "
            f"declare {found.media_types[modality]} or send the file that was meant.",
        )


def _is_packed(head: bytes) -> bool:
    """Whether the file is a document or an archive that people mistake for text."""
    return head.startswith((b"PK\3\4", b"\x1f\x8b"))


def _describe(head: bytes) -> str:
    try:
        return f"{puremagic.from_string(head, mime=True) or 'unknown'}, which is not taken"
    except (puremagic.PureError, ValueError):
        return "of no format that we know"
