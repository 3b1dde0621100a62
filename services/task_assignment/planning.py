"""What somebody who claims is given: what they hold already, and what is picked for them beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from services.task_assignment.claims import Claim, ClaimRequest, Round
from services.task_assignment.domain.annotator import Annotator, seeker_for, with_offered
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.eligibility import SOON, most_leases
from services.task_assignment.domain.picks import Empty, Pick
from services.task_assignment.domain.ready import Seeker
from services.task_assignment.domain.tasks import key_of_task
from services.task_assignment.escalation import Escalation
from services.task_assignment.holdings import Held, Holdings
from services.task_assignment.leases import Granted, live_leases, new_lease
from services.task_assignment.limits import Bounds, Limits, count_answers, shortest
from services.task_assignment.store import StoredSample
from shared.catalog import Catalog
from shared.clock import Clock, to_ms
from shared.ids import sample_of_task
from shared.security import Lease, Principal


class Planner:
    """Plans claims, one at a time; what it picks is held back on the board until the desk has tried to lease it."""

    def __init__(
        self, board: Board, catalog: Catalog, limits: Limits, clock: Clock, escalation: Escalation | None = None
    ) -> None:
        self._board = board
        self._catalog = catalog
        self._limits = limits
        self._escalation = escalation or Escalation(catalog)
        self._clock = clock

    def plan(
        self, claim: Claim, annotator: Annotator | None, holdings: Holdings, samples: Mapping[str, StoredSample]
    ) -> Round:
        """Find what the caller holds, and pick what they may get beside it."""
        request = claim.request
        now_ms = to_ms(self._clock())
        profile = None if annotator is None else annotator.profile
        seeker = seeker_for(
            request.principal,
            profile,
            project=request.project,
            stages=request.stages,
            languages=request.languages,
        )._replace(inactive=self._catalog.inactive(request.principal.tenant_id))
        unanswered = tuple(held for held in holdings.leases if held.lease_id not in request.answered)
        live = live_leases(holdings._replace(leases=unanswered), samples, request.principal.tenant_id, now_ms)
        tenant, now = request.principal.tenant_id, self._clock()
        answered = count_answers(holdings, samples, request.answered, tenant, now)
        given = with_offered(answered, annotator)
        bounds = self._limits.of(tenant, profile, given, [each.lease for each in live], now)
        seeker = seeker._replace(
            inactive=seeker.inactive | bounds.projects.keys(),
            groups=bounds.groups,
            serving=bounds.serving,
            now_ms=now_ms,
            rises=self._escalation.rises(tenant),
            opened=self._escalation.opened(request.principal, profile, request.stages),
        )
        matching = [each for each in live if _matches(each, seeker)][: request.count]
        round_ = Round(
            claim,
            seeker,
            Holdings(
                holdings.id,
                holdings.revision,
                tuple(self._held(each.lease, each.seen) for each in live),
                _seen(holdings, samples, request),
                answered,
            ),
            matching,
            most_held=dict(bounds.most_held),
        )
        round_.has_struck_off = len(unanswered) < len(holdings.leases)
        want = min(request.count - len(matching), most_leases(profile) - len(live))
        if bounds.person is not None:
            round_.reason, round_.retry_after = bounds.person
        elif not (seeker.stages or seeker.opened):
            round_.reason = "no-stage-for-your-roles"
        elif want <= 0:
            round_.reason = "lease-limit" if request.count > len(matching) else None
        else:
            self._pick(round_, want, now_ms)
            if round_.reason is not None:
                round_.reason, round_.retry_after = self._explain(round_.reason, round_.seeker, bounds)
        return round_

    def _explain(self, reason: str, seeker: Seeker, bounds: Bounds) -> tuple[str, timedelta]:
        """Return which filter left nothing, and when to ask again: the bar that falls first, of what there is."""
        if not self._board.is_whole:
            return "starting", SOON  # there may be work that is not known yet
        if reason != "no-open-tasks":
            return reason, SOON
        reasons = self._board.why_empty(seeker)
        bars = [bounds.projects[project] for project in reasons.barred if project in bounds.projects]
        if bars:
            first = shortest(bars)
            return first.reason, first.retry_after
        return reasons.reason or reason, SOON

    def _pick(self, round_: Round, want: int, now_ms: int) -> None:
        """Pick slots for a claim. Where that fails nothing stays picked, or it would be held back from all for good."""
        picked: list[Pick] = []
        held = {each.lease.task_id for each in round_.live} | {each.task_id for each in round_.holdings.leases}
        try:
            while len(picked) < want:
                pick = self._board.pick(round_.seeker, held)
                if isinstance(pick, Empty):
                    round_.reason = pick.reason
                    return
                picked.append(pick)
                held.add(pick.task_id)
                self._add(round_, pick, self._lease(pick, round_.claim.request.principal, now_ms))
        except Exception:
            for pick in picked:
                self._board.done_with(pick)
            raise

    def _add(self, round_: Round, pick: Pick, lease: Lease) -> None:
        if lease.project_id in round_.most_held:
            round_.most_held[lease.project_id] -= 1
            if round_.most_held[lease.project_id] <= 0:
                full = round_.seeker.inactive | {lease.project_id}
                round_.seeker = round_.seeker._replace(inactive=full)
        round_.picks.append((pick, lease))
        seen = round_.holdings.seen.get(lease.project_id, 0)
        leases = (*round_.holdings.leases, self._held(lease, seen))
        round_.holdings = round_.holdings._replace(leases=leases)

    def _held(self, lease: Lease, seen: int) -> Held:
        version = self._catalog.version(lease.tenant_id, lease.project_id, lease.project_version)
        return Held(lease.lease_id, lease.task_id, lease.expires_ms, version.guideline_version, seen, lease.project_id)

    def _lease(self, pick: Pick, principal: Principal, now_ms: int) -> Lease:
        sample = self._board.sample(pick.document_id)
        spec = self._catalog.version(sample.tenant_id, sample.project_id, sample.project_version).spec
        return new_lease(sample, pick.task_key, pick.slot, principal.subject, spec.workflow, now_ms)


def _seen(holdings: Holdings, samples: Mapping[str, StoredSample], request: ClaimRequest) -> dict[str, int]:
    """Return, by project, the version of the guidelines that came with the caller's last task.

    Only a lease that its sample shows, or that was answered, has certainly been told to the caller. Of one that ended
    unseen the guidelines are told as changed once more, which costs a reading and loses nothing.
    """
    seen = dict(holdings.seen)
    for held in holdings.leases:
        if held.guidelines and held.is_answered(request.answered):
            seen[held.project_id] = held.guidelines
            continue
        stored = samples.get(f"{request.principal.tenant_id}/{sample_of_task(held.task_id)}")
        task = None if stored is None else stored.sample.tasks.get(key_of_task(held.task_id))
        if stored is None or task is None or not held.guidelines:
            continue
        if held.lease_id in request.answered or any(slot.lease_id == held.lease_id for slot in task.slots.values()):
            seen[stored.sample.project_id] = held.guidelines
    return seen


def _matches(granted: Granted, seeker: Seeker) -> bool:
    in_project = seeker.projects is None or granted.lease.project_id in seeker.projects
    return in_project and seeker.takes(granted.lease.project_id, granted.lease.stage)
