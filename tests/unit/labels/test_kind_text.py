from tests.unit.labels.label_builders import a_field, accepted, refused


def test_equal_texts_have_equal_form():
    answer = a_field("text", languages=[])

    composed = accepted(answer, {"text": "Café\nzwei", "language": "PT-br"})
    decomposed = accepted(answer, {"text": "Cafe\u0301\r\nzwei", "language": "pt-BR"})

    assert composed == decomposed == {"text": "Café\nzwei", "language": "pt-BR"}


def test_the_language_must_be_one_of_the_fields():
    answer = a_field("text", languages=["en", "de"])

    assert refused(answer, {"text": "hi"}) == [("/language", "missing")]
    assert refused(answer, {"text": "hi", "language": "fr"}) == [("/language", "unknown-language")]
    assert refused(answer, {"text": "hi", "language": "english please"}) == [("/language", "malformed")]
    assert accepted(a_field("text", languages=[]), {"text": "hi"}) == {"text": "hi"}


def test_length_is_counted_in_code_points_after_normalization():
    three = a_field("text", languages=[], min_chars=3, max_chars=3)

    assert accepted(three, {"text": "e\u0301e\u0301e\u0301"}) == {"text": "ééé"}
    assert refused(three, {"text": "🙂🙂"}) == [("/text", "too-short")]
    assert refused(three, {"text": "x" * 10_000_000}) == [("/text", "too-long")]
    assert a_field("text", min_chars=4, max_chars=3).faults()[0].pointer == "/max_chars"


def test_all_that_is_wrong_is_told_at_once():
    answer = a_field("text", languages=[])

    assert refused(answer, {"text": "half \ud83d", "languag": "en"}) == [
        ("/text", "malformed"),
        ("/languag", "unknown-key"),
    ]
    assert refused(answer, {"text": 3, "language": None}) == [("/text", "wrong-type"), ("/language", "wrong-type")]
    assert refused(answer, "hello") == [("", "wrong-type")]
    assert refused(answer, {}) == [("/text", "missing")]
