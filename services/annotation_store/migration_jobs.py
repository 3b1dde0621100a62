"""The jobs of migrations: how far they are, and what they left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.annotation_store.domain.migration import MigrationJob
from shared.clock import Clock, utc_now
from shared.errors import NotFoundError
from shared.job_errors import JobErrors, LineError
from shared.jobs import JobPart, JobView, read_errors, read_job
from shared.ledger import Ledger
from shared.security import MANAGERS, READERS, Principal


class MigrationJobs:
    """Reads the jobs of migrations."""

    def __init__(
        self, migrations: Ledger[MigrationJob], jobs: Ledger[JobPart], errors: JobErrors, clock: Clock = utc_now
    ) -> None:
        self._migrations = migrations
        self._errors = errors
        self._jobs = jobs
        self._clock = clock

    async def job(self, caller: Principal, job_id: str) -> JobView:
        """Return how far a migration is.

        Raises:
            NotFoundError: The tenant has no such job.
        """
        job = await self._found(caller, job_id)
        seen = await self._seen(caller.tenant_id, job_id)
        if seen is None:
            seen = JobView(job_id=job_id, state="running", done=0, started=job.started)
        return seen.model_copy(update={"started": job.started, "result": _result(job)})

    async def left(self, caller: Principal, job_id: str) -> list[LineError]:
        """Return the labels that a migration left as they are, each with the reason.

        Raises:
            NotFoundError: The tenant has no such job.
        """
        await self._found(caller, job_id)
        try:
            return [each async for each in read_errors(self._jobs, self._errors, caller.tenant_id, job_id)]
        except NotFoundError:
            return []

    async def is_done(self, tenant_id: str, job_id: str) -> bool:
        """Return whether all labels of a migration have been dealt with."""
        seen = await self._seen(tenant_id, job_id)
        return seen is not None and seen.state == "done"

    async def _found(self, caller: Principal, job_id: str) -> MigrationJob:
        key = f"{caller.tenant_id}/{job_id}"
        found = (await self._migrations.read([key])).get(key)
        if found is None:
            raise NotFoundError(f"There is no job {job_id!r}; a job can be read a moment after it was accepted.")
        caller.require(MANAGERS | READERS)
        return found

    async def _seen(self, tenant_id: str, job_id: str) -> JobView | None:
        try:
            return await read_job(self._jobs, tenant_id, job_id, self._clock())
        except NotFoundError:
            return None


def _result(job: MigrationJob) -> Mapping[str, Any]:
    return {
        "taxonomy": job.taxonomy_id,
        "version": job.taxonomy_version,
        "rolls_back": job.rolls_back,
        "projects": {
            name: {
                "version": project.project_version,
                "bound": project.bound,
                "faults": [fault.model_dump(mode="json") for fault in project.faults],
            }
            for name, project in sorted(job.projects.items())
        },
    }
