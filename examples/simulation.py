"""Simulated annotators, reviewers and a model: they know the truth and err at a stated rate.

Pure: chance comes from a seed and from what is answered, never from the order of answers, the clock or the process, so
that twelve annotators in several processes give the same answers in every run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, Literal

from examples.model import Bounds, DemoSample, Fields, FieldSpec
from examples.noise import distort
from examples.scoring import accuracy

SEED = 20261124

CONFUSION = 0.95
"""Probability that an annotator falls for what a hard sample is confused with, whatever their skill."""

GOOD_ENOUGH: Mapping[str, float] = {"spans": 0.8, "regions": 0.8, "segments": 0.8, "tracks": 0.8, "text": 0.8}
"""Accuracy at which a reviewer lets a value pass; the other kinds must be right."""


class NoTruthError(ValueError):
    """Something was to be answered whose answer is not known."""

    def __init__(self, external_id: str) -> None:
        super().__init__(f"Sample {external_id} has no truth to answer from; only the corrupt one should have none.")


def rng_for(seed: int, *names: str) -> Random:
    """A generator that depends on the seed and the names alone."""
    return Random(sha256("\x1f".join([str(seed), *names]).encode()).digest())


@dataclass(frozen=True)
class SimulatedAnnotator:
    """Someone who labels: knows the truth, and errs the more the lower their skill."""

    name: str
    skill: float
    """0.0 to 1.0; 1 minus it is the error that `examples.noise` states its rates in."""
    languages: tuple[str, ...]
    vanishes: bool = False
    """Stops in the middle of the work, while holding leases."""
    careful: bool = False
    """Does not fall for what hard samples are confused with."""
    seed: int = SEED

    def speaks(self, sample: DemoSample) -> bool:
        """Whether the sample is in one of their languages."""
        return sample.language in self.languages

    def answer(self, sample: DemoSample, fields: Mapping[str, FieldSpec], occasion: str = "first_pass") -> Fields:
        """Label a sample.

        Args:
            sample: Its truth is answered from.
            fields: What the project asks; fields without truth stay unanswered.
            occasion: Another occasion, another answer; the same one gives the same again.

        Returns:
            Values by field name, each valid under its field's check.

        Raises:
            NoTruthError: The sample is the corrupt one.
        """
        if sample.truth is None:
            raise NoTruthError(sample.external_id)
        return {
            name: self._value(sample, name, asked, truth, occasion)
            for name, asked in fields.items()
            if (truth := sample.truth.get(name)) is not None
        }

    def _value(self, sample: DemoSample, name: str, asked: FieldSpec, truth: Any, occasion: str) -> Any:
        rng = rng_for(self.seed, self.name, sample.external_id, name, occasion)
        if not self.careful and name in sample.confused_with and rng.random() < CONFUSION:
            return sample.confused_with[name]
        bounds = sample.assets[asked.asset].bounds if asked.asset else Bounds()
        return distort(truth, asked, bounds, 1.0 - self.skill, rng)


@dataclass(frozen=True)
class Review:
    """What a reviewer says of a consensus."""

    verdict: Literal["accept", "fix"]
    fields: Fields | None = None
    """With ``fix``: all fields as they should be."""
    changed: tuple[str, ...] = ()
    """Names of the fields that the reviewer changed."""


@dataclass(frozen=True)
class SimulatedReviewer(SimulatedAnnotator):
    """Someone who reviews and adjudicates; sees the truth more clearly than annotators do."""

    careful: bool = True

    def review(self, sample: DemoSample, fields: Mapping[str, FieldSpec], consensus: Fields) -> Review:
        """Compare a consensus with what the reviewer sees, and replace what is not good enough.

        Raises:
            NoTruthError: The sample is the corrupt one.
        """
        seen = self.answer(sample, fields, occasion="review")
        changed = tuple(
            name
            for name, value in seen.items()
            if accuracy(fields[name].kind, consensus.get(name), value) < GOOD_ENOUGH.get(fields[name].kind, 1.0)
        )
        if not changed:
            return Review("accept")
        return Review("fix", {**consensus, **{name: seen[name] for name in changed}}, changed)


@dataclass(frozen=True)
class Prediction:
    """A model's answer to a sample, as it is sent to the gateway."""

    external_id: str
    model: str
    version: str
    fields: Fields
    score: float
    """The model's own confidence, 0.0 to 1.0."""


@dataclass(frozen=True)
class SimulatedModel:
    """A classifier with a stated error rate and a blind spot; hard samples do not confuse it."""

    name: str
    version: str
    error_rate: float
    """Probability of a wrong option, for each choice field outside the blind spot."""
    blind_spot: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Field name to (true option, what the model always says instead)."""
    seed: int = SEED

    def predict(self, sample: DemoSample, fields: Mapping[str, FieldSpec]) -> Prediction:
        """Predict the sample's choice fields.

        Raises:
            NoTruthError: The sample is the corrupt one.
        """
        if sample.truth is None:
            raise NoTruthError(sample.external_id)
        predicted: Fields = {}
        score = 1.0
        for name, asked in fields.items():
            if asked.kind == "choice" and name in sample.truth:
                predicted[name], sure = self._option(sample.external_id, name, asked, sample.truth[name])
                score = min(score, sure)
        return Prediction(sample.external_id, self.name, self.version, predicted, round(score, 3))

    def _option(self, external_id: str, name: str, asked: FieldSpec, truth: str) -> tuple[str, float]:
        rng = rng_for(self.seed, self.name, self.version, external_id, name)
        seen, said = self.blind_spot.get(name, ("", ""))
        if seen == truth:
            return said, rng.uniform(0.85, 0.95)  # wrong and sure of it, as a blind spot is
        wrong = [option for option in asked.options if option != truth]
        if rng.random() < self.error_rate and wrong:
            return rng.choice(wrong), rng.uniform(0.4, 0.7)
        return truth, rng.uniform(0.85, 0.99)


ANNOTATORS: tuple[SimulatedAnnotator, ...] = (
    SimulatedAnnotator("ana", 0.97, ("en", "pt", "de")),
    SimulatedAnnotator("bo", 0.95, ("en", "zh", "de")),
    SimulatedAnnotator("chi", 0.94, ("en", "zh", "pt")),
    SimulatedAnnotator("dora", 0.92, ("en", "de", "pt")),
    SimulatedAnnotator("emil", 0.90, ("en", "de", "zh")),
    SimulatedAnnotator("fatima", 0.90, ("en", "pt", "zh")),
    SimulatedAnnotator("goran", 0.87, ("en", "de", "pt"), vanishes=True),
    SimulatedAnnotator("hana", 0.85, ("en", "zh", "de")),
    SimulatedAnnotator("ivo", 0.83, ("en", "pt", "de")),
    SimulatedAnnotator("jun", 0.80, ("en", "zh", "pt"), vanishes=True),
    SimulatedAnnotator("kofi", 0.75, ("en", "pt", "zh")),
    SimulatedAnnotator("lena", 0.70, ("en", "de", "zh", "pt")),
)

REVIEWERS: tuple[SimulatedReviewer, ...] = (
    SimulatedReviewer("mira", 0.99, ("en", "de", "zh", "pt")),
    SimulatedReviewer("noor", 0.985, ("en", "de", "zh", "pt")),
)

MODEL = SimulatedModel(
    name="support-classifier",
    version="1",
    error_rate=0.05,
    blind_spot={"intent": ("get_information", "out_of_scope")},
)
"""Wrong on every question for information, so that error analysis has a systematic mistake to find."""
