"""From labels to a decision: when a sample is final, asked about again, or adjudicated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.qa.domain.judging import Decision, Judgement, Label, judge, needs_peer_review
from services.qa.domain.skill import score_answer, weight_of
from shared.labels.spec import ProjectSpec


def a_project(fields: dict[str, Any] | None = None, **quality: Any) -> ProjectSpec:
    return ProjectSpec.model_validate(
        {
            "title": "Support conversations",
            "objective": {"goal": "Route requests", "output": "predictive"},
            "assets": {"chat": {"modality": "text"}, "photo": {"modality": "image"}},
            "fields": fields
            or {"intent": {"kind": "choice", "options": ["refund", "repair", "praise"], "required": True}},
            "quality": {"overlap": 3, "max_overlap": 5, "quorum": 0.6} | quality,
        }
    )


def a_label(annotator_id: str, intent: str | None = "refund", **more: Any) -> Label:
    fields = more.pop("fields", {"intent": intent})
    return Label(
        **{"annotation_id": f"annotation-{annotator_id}", "revision": 1} | more,
        annotator_id=annotator_id,
        fields=fields,
    )


def judged(*views: str, project: ProjectSpec | None = None, budget: int | None = None) -> Judgement:
    labels = [a_label(f"annotator-{number}", view) for number, view in enumerate(views)]
    return judge(project or a_project(), labels, budget=budget)


WHY = {"kind": "choice", "options": ["broken", "late"], "required_if": {"field": "intent", "any_of": ["refund"]}}


def judged_with_why(*answers: tuple[str, str | None, float], **why: Any) -> Judgement:
    """Judge answers: intent, why, and how much the annotator counts in the vote on why."""
    intent = {"kind": "choice", "options": ["refund", "repair", "praise"], "required": True}
    labels = [
        a_label(
            str(number), fields={"intent": said} | ({"why": because} if because else {}), field_weights={"why": weight}
        )
        for number, (said, because, weight) in enumerate(answers)
    ]
    return judge(a_project({"intent": intent, "why": WHY | why}), labels)


def test_a_majority_that_leaves_empty_what_the_other_majority_requires_settles_nothing():
    refunds = ("refund", "broken", 1.0), ("refund", "broken", 1.0)

    judgement = judged_with_why(*refunds, ("praise", None, 9.0))

    assert (judgement.decision, judgement.unsettled) == (Decision.EXTEND, ("why",))
    assert judgement.consensus == {"intent": "refund"}
    assert judged_with_why(*refunds, ("praise", None, 1.0)).decision is Decision.FINALIZE
    praises = ("praise", None, 1.0), ("praise", None, 1.0)
    assert judged_with_why(("refund", "broken", 1.0), *praises).decision is Decision.FINALIZE


def test_what_is_about_an_asset_that_the_sample_lacks_is_not_required_of_the_consensus():
    without = [("refund", None, 1.0)] * 3

    assert judged_with_why(*without, asset="photo").decision is Decision.FINALIZE
    assert judged_with_why(*without).unsettled == ("why",)
    assert judged_with_why(*without[1:], ("refund", "late", 1.0), asset="photo").unsettled == ("why",)


def test_a_sample_without_labels_waits():
    judgement = judged()

    assert judgement.decision is Decision.WAIT
    assert judgement.annotators == 0
    assert judgement.consensus == {}
    assert judgement.fields["intent"].agreement is None


def test_a_sample_waits_until_as_many_annotators_as_the_overlap_have_answered():
    assert judged("refund", "refund").decision is Decision.WAIT
    assert judged("refund", "refund", "refund").decision is Decision.FINALIZE


def test_two_of_three_settle_a_field_at_a_quorum_of_three_fifths():
    judgement = judged("refund", "repair", "refund")

    assert judgement.decision is Decision.FINALIZE
    assert judgement.consensus == {"intent": "refund"}
    assert judgement.fields["intent"].confidence == pytest.approx(2 / 3)
    assert judgement.fields["intent"].agreement == pytest.approx(1 / 3)  # one of the three pairs agrees
    assert judgement.fields["intent"].support == pytest.approx({"refund": 2 / 3, "repair": 1 / 3})


def test_annotators_who_all_differ_call_for_one_more():
    judgement = judged("refund", "repair", "praise")

    assert judgement.decision is Decision.EXTEND
    assert judgement.unsettled == ("intent",)


def test_exactly_the_quorum_is_enough_whatever_the_rounding():
    weights = [0.1, 0.1, 0.1, 0.1, 0.1]
    views = ["refund", "refund", "refund", "repair", "praise"]
    labels = [a_label(f"a{n}", view, weight=w) for n, (view, w) in enumerate(zip(views, weights, strict=True))]

    assert judge(a_project(), labels).decision is Decision.FINALIZE


def test_without_agreement_at_max_overlap_an_adjudicator_decides():
    assert judged("refund", "refund", "repair", "repair").decision is Decision.EXTEND
    assert judged("refund", "refund", "repair", "repair", "praise").decision is Decision.ADJUDICATE


def test_without_budget_disagreement_goes_to_adjudication_at_once():
    assert judged("refund", "repair", "praise", budget=1).decision is Decision.EXTEND
    assert judged("refund", "repair", "praise", budget=0).decision is Decision.ADJUDICATE


def test_an_expert_outvotes_two_annotators_who_are_often_wrong():
    expert = a_label("expert", "repair", weight=weight_of(0.95))
    others = [a_label(name, "refund", weight=weight_of(0.6)) for name in ("ana", "bo")]

    judgement = judge(a_project(), [*others, expert])

    assert judgement.consensus == {"intent": "repair"}
    assert judgement.decision is Decision.FINALIZE


def test_a_weight_that_is_known_for_a_field_goes_before_the_general_one():
    expert = a_label("expert", "repair", field_weights={"intent": 3.0})

    judgement = judge(a_project(), [a_label("ana", weight=0.9), a_label("bo", weight=0.9), expert])

    assert judgement.consensus == {"intent": "repair"}


def test_only_the_newest_revision_of_an_annotators_label_counts():
    corrected = a_label("ana", "refund", revision=2)
    labels = [corrected, a_label("ana", "praise", revision=1), a_label("bo", "refund"), a_label("chi", "refund")]

    judgement = judge(a_project(), labels)

    assert judgement.annotators == 3
    assert judgement.fields["intent"].confidence == 1


def test_every_field_must_be_settled():
    project = a_project(
        {
            "intent": {"kind": "choice", "options": ["refund", "repair"], "required": True},
            "tone": {"kind": "choice", "options": ["calm", "angry", "sad"], "required": True},
        }
    )
    labels = [
        a_label(who, fields={"intent": "refund", "tone": tone})
        for who, tone in (("ana", "calm"), ("bo", "angry"), ("chi", "sad"))
    ]

    judgement = judge(project, labels)

    assert judgement.decision is Decision.EXTEND
    assert judgement.unsettled == ("tone",)


OPTIONAL_NOTE = {"note": {"kind": "choice", "options": ["urgent", "later"]}}


def noted(*notes: str | None) -> Judgement:
    labels = [a_label(f"a{n}", fields={} if note is None else {"note": note}) for n, note in enumerate(notes)]
    return judge(a_project(OPTIONAL_NOTE), labels)


def test_an_optional_field_that_all_leave_empty_is_settled_and_empty():
    judgement = noted(None, None, None)

    assert judgement.decision is Decision.FINALIZE
    assert judgement.consensus == {}
    assert judgement.fields["note"].agreement == 1


def test_leaving_an_optional_field_empty_is_a_vote():
    assert noted(None, None, "urgent").consensus == {}
    assert noted(None, None, "urgent").fields["note"].confidence == pytest.approx(2 / 3)
    assert noted(None, "urgent", "urgent").consensus == {"note": "urgent"}
    assert noted(None, "urgent", "later").decision is Decision.EXTEND


def test_a_required_field_that_nobody_could_fill_is_settled_and_empty():
    judgement = judge(a_project(), [a_label(who, None) for who in ("ana", "bo", "chi")])  # the sample has no such asset

    assert judgement.decision is Decision.FINALIZE
    assert judgement.consensus == {}


def test_leaving_a_required_field_empty_is_no_vote_but_takes_from_the_confidence():
    judgement = judge(a_project(), [a_label("ana", None), a_label("bo", None), a_label("chi", "refund")])

    assert judgement.consensus == {"intent": "refund"}
    assert judgement.fields["intent"].confidence == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("options", "empty"),
    [
        ({"kind": "spans", "asset": "chat", "labels": ["date"]}, []),
        ({"kind": "choice", "options": ["a"], "multiple": True}, []),
        ({"kind": "record", "schema": {"type": "object"}}, {}),
    ],
    ids=["spans", "choice", "record"],
)
def test_an_empty_value_is_an_answer_and_not_a_missing_one(options, empty):
    labels = [a_label(who, fields={"field": empty}) for who in ("ana", "bo", "chi")]

    judgement = judge(a_project({"field": options}), labels)

    assert judgement.decision is Decision.FINALIZE
    assert judgement.consensus == {"field": empty}


def test_boxes_that_two_of_three_drew_are_final_with_their_median():
    project = a_project({"cells": {"kind": "regions", "asset": "photo", "labels": ["cell"], "required": True}})

    def box(item_id: str, x: float, y: float) -> dict[str, Any]:
        return {"id": item_id, "shape": "box", "label": "cell", "x": x, "y": y, "width": 20, "height": 20}

    drawn = {
        "ana": [box("1", 10, 10), box("2", 100, 50)],
        "bo": [box("x", 12, 10), box("y", 101, 52)],
        "chi": [box("1", 11, 13), box("2", 200, 200)],
    }

    judgement = judge(project, [a_label(who, fields={"cells": cells}) for who, cells in drawn.items()])

    assert [(cell["x"], cell["y"]) for cell in judgement.consensus["cells"]] == [(11, 10), (100.5, 51)]
    assert judgement.decision is Decision.FINALIZE


def test_what_several_draw_together_is_nearer_to_the_truth_than_what_each_draws_alone():
    options = {"kind": "regions", "asset": "photo", "labels": ["cell"], "required": True}
    chance = np.random.default_rng(11)
    alone, together = [], []

    def drawn(cells: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
        """Each cell is missed by one annotator in seven, and drawn a little beside its place."""
        seen = [(x, y) for x, y in cells if chance.random() > 1 / 7]
        places = np.array(seen).reshape(-1, 2) + chance.normal(scale=3, size=(len(seen), 2))
        size = {"shape": "box", "label": "cell", "width": 40.0, "height": 40.0}
        return [{"id": f"c{n}", "x": float(x), "y": float(y)} | size for n, (x, y) in enumerate(places)]

    for _ in range(30):
        cells = [(float(x), float(y)) for x, y in chance.uniform(20, 800, size=(8, 2))]
        truth = [
            {"id": f"t{n}", "shape": "box", "label": "cell", "x": x, "y": y, "width": 40.0, "height": 40.0}
            for n, (x, y) in enumerate(cells)
        ]
        project = a_project({"cells": options})
        answers = [{"cells": drawn(cells)} for _ in range(3)]
        judgement = judge(project, [a_label(f"a{n}", fields=answer) for n, answer in enumerate(answers)])
        alone += [score_answer(project, answer, {"cells": truth})["cells"] for answer in answers]
        together.append(score_answer(project, judgement.consensus, {"cells": truth})["cells"])

    assert np.mean(together) > np.mean(alone) + 0.04


@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.data(), views=st.lists(st.sampled_from(["refund", "repair", "praise", None]), max_size=7))
def test_the_order_of_labels_has_no_influence(data, views):
    labels = [a_label(f"annotator-{number}", view) for number, view in enumerate(views)]

    assert judge(a_project(), data.draw(st.permutations(labels))) == judge(a_project(), labels)


def test_peer_review_takes_about_its_share_of_the_samples_and_always_the_same():
    ids = [f"sample-{number}" for number in range(5000)]

    taken = {sample_id for sample_id in ids if needs_peer_review(sample_id, 0.2)}

    assert 0.18 < len(taken) / len(ids) < 0.22
    assert taken == {sample_id for sample_id in ids if needs_peer_review(sample_id, 0.2)}
    assert taken <= {sample_id for sample_id in ids if needs_peer_review(sample_id, 0.5)}


def test_a_share_of_0_reviews_nothing_and_of_1_everything():
    ids = [f"sample-{number}" for number in range(100)]

    assert not any(needs_peer_review(sample_id, 0) for sample_id in ids)
    assert all(needs_peer_review(sample_id, 1) for sample_id in ids)
