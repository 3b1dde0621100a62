"""Turns, moments and relations: what most say, whatever the annotators call the things that they link."""

from typing import Any

import pytest

from services.qa.domain.judging import Decision, Label, judge
from services.qa.domain.kinds import KINDS, Answer, Consensus
from services.qa.domain.report import agreement_on
from services.qa.domain.sample import GivenLabel, JudgedSample
from services.qa.domain.skill import score_answer
from shared.labels.kinds import MomentsOptions, TurnsOptions
from shared.labels.spec import ProjectSpec
from tests.builders import MORNING

TURNS = TurnsOptions(kind="turns", asset="chat", labels=("ask", "tell"), links=("answers",))
MOMENTS = MomentsOptions(kind="moments", asset="clip", labels=("cut", "fade"), tolerance=0.5)
LINKED = ProjectSpec.model_validate(
    {
        "title": "What is said of what is seen",
        "objective": {"goal": "Ground words in pictures", "output": "predictive"},
        "assets": {"chat": {"modality": "text"}, "photo": {"modality": "image"}},
        "fields": {
            "mentions": {"kind": "relations", "labels": ["mentions"], "from": ["words", "flow"], "to": ["things"]},
            "words": {"kind": "spans", "asset": "chat", "labels": ["noun"]},
            "things": {"kind": "regions", "asset": "photo", "labels": ["dog", "cat"]},
            "flow": {"kind": "turns", "asset": "chat", "labels": ["ask", "tell"]},
        },
        "quality": {"overlap": 3, "max_overlap": 3, "quorum": 0.6},
    }
)


def consensus(options: Any, *values: Any) -> Consensus:
    answers = [Answer(f"annotator-{number}", value) for number, value in enumerate(values)]
    return KINDS[options.kind].consensus(answers, options)


def said(number: int, label: str = "ask", *answers: int) -> dict[str, Any]:
    links = {"links": [{"to": to, "label": "answers"} for to in answers]} if answers else {}
    return {"id": f"t{number}", "turn": number, "label": label, **links}


def cut(time: float, label: str = "cut", **more: Any) -> dict[str, Any]:
    return {"id": f"c{time:g}", "time": time, "label": label} | more


def an_answer(prefix: str, *, shift: int = 0, mentions: str = "dog") -> dict[str, Any]:
    """Two words and two things; ids begin with ``prefix``, and the first word means one of the things."""
    box = {"shape": "box", "y": 0, "width": 20, "height": 20}
    return {
        "words": [
            {"id": f"{prefix}1", "start": 4, "end": 9 + shift, "label": "noun"},
            {"id": f"{prefix}2", "start": 20, "end": 25, "label": "noun"},
        ],
        "things": [
            {"id": f"{prefix}dog", "label": "dog", "x": 0 + shift, **box},
            {"id": f"{prefix}cat", "label": "cat", "x": 50, **box},
        ],
        "flow": [],
        "mentions": [
            {
                "id": f"{prefix}m",
                "label": "mentions",
                "from": {"field": "words", "id": f"{prefix}1"},
                "to": {"field": "things", "id": f"{prefix}{mentions}"},
            }
        ],
    }


def judged(*answers: dict[str, Any]) -> Any:
    labels = [Label(f"annotation-{n}", f"annotator-{n}", 1, fields) for n, fields in enumerate(answers)]
    return judge(LINKED, labels)


def test_each_turn_gets_the_label_of_most_and_the_links_that_most_drew():
    found = consensus(TURNS, [said(0), said(1, "tell", 0)], [said(0), said(1, "tell", 0)], [said(0, "tell"), said(2)])

    assert found.value == [said(0), said(1, "tell", 0)]
    assert found.support == {"t0": 1.0, "t1": pytest.approx(2 / 3)}


def test_labelings_of_a_conversation_are_apart_by_labels_and_links():
    kind = KINDS["turns"]

    assert kind.distance([said(0), said(1)], [said(0), said(1, "tell")], TURNS) == 0.5
    assert kind.distance([said(1, "ask", 0)], [said(1, "ask")], TURNS) == pytest.approx(1 / 3)


def test_a_moment_is_where_the_median_is_and_near_by_the_fields_tolerance():
    found = consensus(MOMENTS, [cut(3.0)], [cut(3.2)], [cut(3.6), cut(8.0)])
    kind = KINDS["moments"]

    assert [(moment["time"], moment["label"]) for moment in found.value] == [(3.2, "cut")]
    assert kind.distance([cut(3)], [cut(3.25)], MOMENTS) == pytest.approx(0.25)
    assert kind.distance([cut(3)], [cut(4.01)], MOMENTS) == 1
    assert kind.distance([cut(3)], [cut(3, "fade")], MOMENTS) == 1


def test_relations_are_compared_by_the_items_that_they_link_whatever_their_ids_are():
    judgement = judged(an_answer("a"), an_answer("b", shift=1), an_answer("c", shift=1))

    relation = judgement.consensus["mentions"][0]
    assert judgement.fields["mentions"].confidence == pytest.approx(1)
    assert judgement.fields["mentions"].agreement == pytest.approx(1)
    assert relation["from"]["id"] in {item["id"] for item in judgement.consensus["words"]}
    assert relation["to"]["id"] in {item["id"] for item in judgement.consensus["things"] if item["label"] == "dog"}
    assert list(judgement.fields) == list(LINKED.fields)


def test_equal_ids_of_different_items_do_not_make_relations_equal():
    one, other = an_answer(""), an_answer("")
    other["words"] = other["words"][::-1]
    for item, name in zip(other["words"], ("1", "2"), strict=True):
        item["id"] = name

    assert score_answer(LINKED, one, other)["mentions"] == 0
    assert score_answer(LINKED, one, an_answer("x"))["mentions"] == 1


def test_annotators_who_link_different_things_are_asked_no_more_and_adjudicated():
    judgement = judged(an_answer("a"), an_answer("b", mentions="cat"), an_answer("c") | {"mentions": []})

    assert judgement.decision is Decision.ADJUDICATE
    assert judgement.unsettled == ("mentions",)
    assert judgement.fields["mentions"].value == []


def test_a_relation_whose_end_did_not_make_it_into_the_consensus_is_left_out():
    spread = [an_answer(str(number)) for number in range(3)]
    for number, answer in enumerate(spread):
        answer["words"] = [{"id": f"{number}1", "start": 40 * number, "end": 40 * number + 3, "label": "noun"}]

    assert judged(*spread).fields["mentions"].value == []


def test_agreement_on_relations_is_about_what_is_linked():
    def sample(name: str, *answers: dict[str, Any]) -> JudgedSample:
        labels = tuple(
            GivenLabel(
                annotation_id=f"{name}-{number}",
                annotator_id=f"annotator-{number}",
                task_id="t",
                revision=1,
                project_version=version,
                fields=fields,
                given_at=MORNING,
            )
            for number, (version, fields) in enumerate(zip((3, 2), answers, strict=True))
        )
        return JudgedSample(sample_id=name, project_id="grounding", labels=labels)

    alike = sample("one", an_answer("a"), an_answer("b", shift=1))
    apart = sample("two", an_answer("a"), an_answer("a", mentions="cat"))

    agreement = agreement_on("mentions", LINKED.fields, 3, [alike, apart])

    assert (agreement.units, agreement.answers, agreement.pairwise) == (2, 4, 0.5)
