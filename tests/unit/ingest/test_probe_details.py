"""What else is found in texts, sensor series, robots' logs and documents."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from services.ingest.domain.finding import Finding
from services.ingest.domain.probe import probe
from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.facts import AssetDetails
from tests.unit.ingest.media_builders import a_document, a_log


def found(folder: Path, content: str | bytes, modality: str, name: str = "upload") -> Finding:
    path = folder / "stored"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return probe(path, modality, name, None)


def details_of(folder: Path, content: str | bytes, modality: str, name: str = "upload") -> AssetDetails:
    details = found(folder, content, modality, name).facts.details
    assert details is not None
    return details


def code_of(folder: Path, content: str | bytes, modality: str, name: str = "upload") -> str:
    with pytest.raises(MediaRejectedError) as caught:
        found(folder, content, modality, name)
    assert caught.value.detail.endswith(".")
    return caught.value.code


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code_points", "graphemes"),
    [
        ("héllo", 5, 5),
        ("e\u0301a", 2, 2),
        ("👨‍👩‍👧‍👦!", 8, 2),
        ("🇩🇪🇫🇷", 4, 2),
        ("שלום", 4, 4),
        ("नमस्ते", 6, 3),
        ("a\r\nb", 4, 3),
    ],
)
def test_graphemes_are_what_people_count(tmp_path: Path, text: str, code_points: int, graphemes: int) -> None:
    finding = found(tmp_path, text, "text")

    assert finding.facts.text_length == code_points
    assert finding.facts.details is not None and finding.facts.details.graphemes == graphemes


@pytest.mark.parametrize(
    ("content", "encoding", "form"),
    [
        ("plain", "utf-8", "NFC"),
        ("\ufeffwith a mark", "utf-8-sig", "NFC"),
        ("caf\u00e9", "utf-8", "NFC"),
        ("cafe\u0301", "utf-8", "NFD"),
        ("cafe\u0301 caf\u00e9", "utf-8", None),
    ],
)
def test_how_a_text_was_written_is_told(tmp_path: Path, content: str, encoding: str, form: str | None) -> None:
    details = details_of(tmp_path, content, "text")

    assert (details.encoding, details.normal_form) == (encoding, form)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The parcel came two days late and its corner was dented.", "en"),
        ("Das Paket kam zwei Tage zu spät und war an der Ecke eingedrückt.", "de"),
        ("Посылка пришла на два дня позже, и угол был помят.", "ru"),
        ("El paquete llegó dos días tarde y la esquina estaba abollada.", "es"),
        ("包裹晚了两天才到。它的一个角被压扁了。我很不高兴。请退款给我。", "zh"),
    ],
)
def test_the_language_of_a_text_is_guessed_with_how_sure_the_guess_is(tmp_path: Path, text: str, language: str) -> None:
    details = details_of(tmp_path, text, "text")

    assert details.detected_language == language
    assert details.language_confidence is not None and 0.5 < details.language_confidence <= 1


@pytest.mark.parametrize("text", ["OK", "12345 67890 12345 67890", "?!… --- 42"])
def test_too_little_text_is_in_no_language(tmp_path: Path, text: str) -> None:
    details = details_of(tmp_path, text, "text")

    assert (details.detected_language, details.language_confidence) == (None, None)


# --- sensor series ----------------------------------------------------------------------------------------------------


def test_units_are_those_in_brackets(tmp_path: Path) -> None:
    rows = "t,speed (m/s),acc [g],temp,angle (deg) \n0,1,2,3,4\n1,1,2,3,4\n"

    details = details_of(tmp_path, rows, "sensor")

    assert details.units == {"speed (m/s)": "m/s", "acc [g]": "g", "angle (deg)": "deg"}


def test_gaps_are_where_readings_are_missing(tmp_path: Path) -> None:
    times = [0, 1, 2, 3, 7, 8, 9, 12, 13, 14, 15]
    rows = "t,v\n" + "".join(f"{time},1\n" for time in times)

    details = details_of(tmp_path, rows, "sensor")

    assert (details.gaps, details.longest_gap) == (2, 4)


def test_a_series_without_a_clock_has_no_gaps_to_tell(tmp_path: Path) -> None:
    details = details_of(tmp_path, "x,y\n1,2\n3,4\n", "sensor")

    assert (details.gaps, details.longest_gap) == (None, None)


MOMENT = 1_795_507_200_000_000_000
SECOND = 1_000_000_000


def test_a_robots_log_has_channels_with_rates_of_their_own(tmp_path: Path) -> None:
    imu = [MOMENT + number * SECOND // 100 for number in range(201)]
    gps = [MOMENT + number * SECOND for number in (0, 1, 2, 3, 9)]

    facts = found(tmp_path, a_log({"/imu": imu, "/gps": gps}), "sensor", "drive.mcap").facts

    assert facts.details is not None and facts.details.channel_rates is not None
    assert (facts.media_type, facts.channel_names, facts.rows) == ("application/x-mcap", ("/gps", "/imu"), 206)
    assert facts.duration == pytest.approx(9, abs=1e-9)
    assert facts.details.channel_rates == pytest.approx({"/imu": 100, "/gps": 4 / 9})
    assert (facts.details.gaps, facts.details.longest_gap) == (1, 6)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_robots_log_that_was_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    whole = a_log({"/imu": [MOMENT + number for number in range(2000)]})

    assert code_of(tmp_path, whole[: int(len(whole) * share)], "sensor", "drive.mcap") in {"truncated", "undecodable"}


def test_a_robots_log_that_says_nothing_is_refused(tmp_path: Path) -> None:
    assert code_of(tmp_path, a_log({}), "sensor", "drive.mcap") == "no-rows"


# --- documents --------------------------------------------------------------------------------------------------------


def test_each_page_of_a_document_becomes_a_picture(tmp_path: Path) -> None:
    finding = found(tmp_path, a_document((600, 800), (800, 400)), "document", "contract.pdf")

    pictures = [Image.open(io.BytesIO(preview.content)) for preview in finding.previews]
    assert [preview.name for preview in finding.previews] == ["page-1", "page-2"]
    assert finding.facts.media_type == "application/pdf"
    assert finding.facts.details is not None
    assert finding.facts.details.pages == tuple(picture.size for picture in pictures) == ((1200, 1600), (1600, 800))
    for picture in pictures:
        red, green, _ = picture.convert("RGB").getpixel((picture.width // 10, picture.height // 10))  # type: ignore[misc]  # a pixel of RGB is three numbers
        assert red > 200 and green < 60


def test_a_document_that_is_cut_off_or_no_document_is_refused(tmp_path: Path) -> None:
    whole = a_document((600, 800))

    assert code_of(tmp_path, whole[:300], "document", "contract.pdf") == "undecodable"
    assert code_of(tmp_path, b"%PDF-1.7\n1 0 obj << >> endobj", "document", "contract.pdf") == "undecodable"
    assert code_of(tmp_path, b"only text", "document", "contract.pdf") == "wrong-type"
    assert code_of(tmp_path, whole, "text", "contract.txt") == "wrong-type"


def test_a_document_of_too_many_pages_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.domain.probe_document.MAX_PAGES", 2)

    assert code_of(tmp_path, a_document(*[(60, 80)] * 3), "document", "contract.pdf") == "too-many-pages"
