from services.task_assignment.domain.guidelines import what_to_read
from tests.builders import a_parsed_spec

EXAMPLE = {"verdict": "negative", "shows": "the whole sentence", "why": "An entity is a name.", "media": None}
GUIDELINES = a_parsed_spec(
    guidelines={"text": "Read twice.", "entities": {"text": "Names only.", "examples": [EXAMPLE]}}
).guidelines


def test_texts_and_examples_come_with_their_version():
    served = what_to_read(GUIDELINES, 3, 3)

    assert served["text"] == {"text": "Read twice.", "entities": "Names only."}
    assert served["examples"] == {
        "entities": [{"verdict": "negative", "shows": "the whole sentence", "why": "An entity is a name."}]
    }
    assert (served["version"], served["seen"], served["changed"]) == (3, 3, False)


def test_they_have_changed_when_the_last_task_came_with_others():
    first, newer, older = (what_to_read(GUIDELINES, 3, seen) for seen in (0, 2, 4))

    assert (first["seen"], first["changed"]) == (None, False)
    assert newer["changed"]
    assert older["changed"], "a task of an older project version has its own"
