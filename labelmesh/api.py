"""The methods that both clients share: each names a call and what its answer is read as.

An answer without a model of its own is the JSON that the gateway gave (``GET /docs`` there describes it). Listings
give a page, ``{items, next}``; ``client.everything`` follows ``next``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from labelmesh import requests
from labelmesh.models import Claim, ClaimedTask, Job, Lease, Progress, Upload
from labelmesh.requests import Call, JsonObject, at, delete, get, if_matches, post, put

A = TypeVar("A")
Page = dict[str, Any]
"""``items``, and ``next``: the cursor of the page after, None at the end."""


class Ask(NamedTuple, Generic[A]):
    """A call, and how its answer is read."""

    call: Call
    read: Callable[[Any], A]

    @staticmethod
    def as_it_is(call: Call) -> "Ask[Any]":
        """Return a call whose answer is the JSON that the gateway gave."""
        return Ask(call, lambda answer: answer)


def publish_project(project: str, spec: str | bytes | JsonObject, if_match: int | None = None) -> Ask[dict[str, Any]]:
    """Publish a project spec: its newest version, which is a new one when the spec differs.

    Args:
        project: The project's name.
        spec: YAML or JSON text, or an object.
        if_match: Only if this version is the newest; ``PreconditionFailedError`` tells which one is.
    """
    return _ask(requests.publish_project(project, spec, if_match))


def check_project(project: str, spec: str | bytes | JsonObject) -> Ask[dict[str, Any]]:
    """Check a spec and change nothing: ``{valid, faults, warnings, changes}``."""
    return _ask(requests.check_project(project, spec))


def projects(cursor: str | None = None) -> Ask[Page]:
    """List the tenant's projects."""
    return _ask(get(at("projects"), cursor=cursor))


def project(name: str) -> Ask[dict[str, Any]]:
    """Read a project's newest version."""
    return _ask(get(at("projects", name)))


def delete_project(name: str) -> Ask[dict[str, str]]:
    """Delete an archived project, for good: ``{project, state}``."""
    return _ask(delete(at("projects", name)))


def set_project_state(name: str, verb: Literal["pause", "resume", "archive"]) -> Ask[dict[str, str]]:
    """Let a project rest, take work again, or be put away: ``{project, state}``."""
    return _ask(post(at("projects", name, verb)))


def audit(name: str, cursor: str | None = None) -> Ask[Page]:
    """List who changed a project, and what, the newest first."""
    return _ask(get(at("projects", name, "audit"), cursor=cursor))


def publish_taxonomy(name: str, taxonomy: str | bytes | JsonObject, if_match: int | None = None) -> Ask[dict[str, Any]]:
    """Publish a taxonomy: its newest version, which is a new one when it differs.

    Args:
        name: The taxonomy's name.
        taxonomy: YAML or JSON text, or an object.
        if_match: Only if this version is the newest; ``PreconditionFailedError`` tells which one is.
    """
    return _ask(put(at("taxonomies", name), requests.spec_bytes(taxonomy), **if_matches(if_match)))


def taxonomies(cursor: str | None = None) -> Ask[Page]:
    """List the tenant's taxonomies."""
    return _ask(get(at("taxonomies"), cursor=cursor))


def taxonomy(name: str, version: int | None = None, language: str | None = None) -> Ask[dict[str, Any]]:
    """Read a taxonomy, the newest version unless one is named; with a language, ``labels`` in it too."""
    where = at("taxonomies", name) if version is None else at("taxonomies", name, "versions", str(version))
    return _ask(get(where, language=language))


def migrations(name: str) -> Ask[Page]:
    """List a taxonomy's migrations and rollbacks, the newest first."""
    return _ask(get(at("taxonomies", name, "migrations")))


def migrate_taxonomy(name: str, migration: str | bytes | JsonObject) -> Ask[dict[str, Any]]:
    """Change a taxonomy, the projects bound to it and their labels: ``{job_id, taxonomy, version}``.

    Args:
        name: The taxonomy's name.
        migration: ``{operations, note}``, as YAML or JSON text or as an object.
    """
    return _ask(post(at("taxonomies", name, "migrations"), requests.spec_bytes(migration)))


def try_migration(name: str, migration: str | bytes | JsonObject) -> Ask[dict[str, Any]]:
    """Count what a migration would change, by project, and change nothing."""
    return _ask(_dry(post(at("taxonomies", name, "migrations"), requests.spec_bytes(migration))))


def roll_back_migration(name: str, migration: str) -> Ask[dict[str, Any]]:
    """Take the newest migration back: ``{job_id, taxonomy, version}``; the job's errors list what was left."""
    return _ask(post(at("taxonomies", name, "migrations", migration, "rollback")))


def try_rollback(name: str, migration: str) -> Ask[dict[str, Any]]:
    """Count what a rollback would restore and leave, by project, and change nothing."""
    return _ask(_dry(post(at("taxonomies", name, "migrations", migration, "rollback"))))


def _dry(call: Call) -> Call:
    return replace(call, query={"dry_run": "true"})


def progress(name: str) -> Ask[Progress]:
    """Read how far a project is."""
    return Ask(get(at("projects", name, "progress")), Progress.model_validate)


def late(name: str, which: Literal["overdue", "forecast"] | None = None, cursor: str | None = None) -> Ask[Page]:
    """List a project's samples that are past their due date, or will be by the forecast; those due first first."""
    return _ask(get(at("projects", name, "late"), which=which, cursor=cursor))


def create_upload(project: str, filename: str, size: int, media_type: str | None = None) -> Ask[Upload]:
    """Get an address to PUT a file to."""
    body: dict[str, Any] = {"project": project, "filename": filename, "size": size}
    return Ask(post(at("uploads"), body | ({"media_type": media_type} if media_type else {})), Upload.model_validate)


def resume_upload(upload_id: str, token: str) -> Ask[Upload]:
    """Get addresses for the parts of an upload that have not arrived."""
    return Ask(post(at("uploads", upload_id, "parts"), {"token": token}), Upload.model_validate)


def complete_upload(upload_id: str, token: str) -> Ask[dict[str, Any]]:
    """Make one file of the parts of an upload: ``{upload_id, size}``."""
    return _ask(post(at("uploads", upload_id, "complete"), {"token": token}))


def submit_sample(project: str, sample: JsonObject) -> Ask[dict[str, str]]:
    """Add one sample: ``{sample_id}``.

    Args:
        project: The project.
        sample: As a line of an import: ``external_id``, ``assets``, and what else there is to say, as ``due_at``.
    """
    return _ask(post(at("projects", project, "samples"), sample))


def sample(sample_id: str) -> Ask[dict[str, Any]]:
    """Read a sample with the facts of its assets."""
    return _ask(get(at("samples", sample_id)))


def label(sample_id: str) -> Ask[dict[str, Any]]:
    """Read a sample's label of record."""
    return _ask(get(at("samples", sample_id, "label")))


def label_history(sample_id: str, cursor: str | None = None) -> Ask[Page]:
    """List all that a sample's label ever was, the newest first."""
    return _ask(get(at("samples", sample_id, "label", "history"), cursor=cursor))


def annotations(sample_id: str, cursor: str | None = None) -> Ask[Page]:
    """List a sample's annotations; where the project is blind, an annotator's own."""
    return _ask(get(at("samples", sample_id, "annotations"), cursor=cursor))


def annotation(annotation_id: str) -> Ask[dict[str, Any]]:
    """Read the revision of an annotation that counts."""
    return _ask(get(at("annotations", annotation_id)))


def import_prefix(
    project: str,
    prefix: str,
    follow_seconds: int | None = None,
    *,
    replace_changed: bool = False,
    due_at: datetime | None = None,
) -> Ask[str]:
    """Import the objects below a prefix of a registered bucket and return the job's id.

    Args:
        project: The project.
        prefix: ``s3://bucket/path/``.
        follow_seconds: List it again so many seconds after each listing, until the job is cancelled; None: once.
        replace_changed: Objects that have changed take the place of those before, as far as those may be replaced.
        due_at: Until when the samples should have their labels of record, with a zone.
    """
    body = {"prefix": prefix} | ({} if follow_seconds is None else {"follow_seconds": follow_seconds})
    call = post(at("projects", project, "imports"), body)
    call = requests.for_import(call, due_at, replace_changed=replace_changed)
    return Ask(call, lambda answer: str(answer["job_id"]))


def job(job_id: str) -> Ask[Job]:
    """Read how far a job is."""
    return Ask(get(at("jobs", job_id)), Job.model_validate)


def job_errors(job_id: str) -> Ask[list[dict[str, Any]]]:
    """Read the lines of a job that failed: ``{line, outcome, faults, source, ...}`` each."""
    return Ask(get(at("jobs", job_id, "errors")), lambda answer: answer or [])


def cancel_job(job_id: str) -> Ask[None]:
    """Stop an import: what it has brought stays, the rest is left out."""
    return Ask(post(at("jobs", job_id, "cancel")), lambda _: None)


def claim(
    count: int = 1, project: str | None = None, stages: Sequence[str] = (), languages: Sequence[str] = ()
) -> Ask[Claim]:
    """Claim tasks: first those held already, with fresh tokens, then new ones.

    Args:
        count: How many at the most, 1 to 20, those already held included.
        project: Only this project's.
        stages: Only these stages; none: all that the caller's roles allow.
        languages: Only samples in these languages; none: all that the caller speaks.
    """
    return Ask(requests.claim(count, project, stages, languages), Claim.model_validate)


def held() -> Ask[list[ClaimedTask]]:
    """List the tasks that the caller holds, with fresh tokens."""
    return Ask(get(at("tasks"), mine="true"), lambda page: [ClaimedTask.model_validate(each) for each in page["items"]])


def heartbeat(task: ClaimedTask) -> Ask[Lease]:
    """Keep a task; ``task.renewed(lease)`` is the task with the new token, which replaces the old one."""
    return Ask(post(at("tasks", task.task, "heartbeat"), lease_token=task.lease.token), Lease.model_validate)


def release(task: ClaimedTask) -> Ask[None]:
    """Give a task back."""
    return _ask(post(at("tasks", task.task, "release"), lease_token=task.lease.token))


def skip(task: ClaimedTask, reason: str) -> Ask[None]:
    """Give a task back and do not get it again."""
    return _ask(post(at("tasks", task.task, "skip"), {"reason": reason}, lease_token=task.lease.token))


def submit(
    task: ClaimedTask,
    fields: JsonObject,
    *,
    confidence: float | None = None,
    seconds_spent: float | None = None,
    wait: float | None = None,
) -> Ask[dict[str, Any]]:
    """Submit an answer: ``{annotation_id, warnings}``. On a live lease, a second body is revision 2 of the first.

    Args:
        task: The task, as claimed or renewed.
        fields: A value per field.
        confidence: The annotator's own, 0 to 1.
        seconds_spent: How long it took.
        wait: Answer only once it is stored, or after so many seconds.
    """
    return _ask(requests.submit(task.task, task.lease.token, fields, confidence, seconds_spent, wait))


def review(
    task: ClaimedTask, verdict: str, fields: JsonObject | None = None, issues: Sequence[JsonObject] = ()
) -> Ask[dict[str, str]]:
    """Submit a verdict (accept, fix or reject) on a task's proposal: ``{review_id}``."""
    return _ask(requests.review(task.task, task.lease.token, verdict, fields, issues))


def draft(task: ClaimedTask | str) -> Ask[dict[str, Any]]:
    """Read what the caller left at a task, or sent too late: ``{task_id, fields, revision, saved_at, surplus}``."""
    return _ask(get(at("tasks", _id_of(task), "draft")))


def put_draft(task: ClaimedTask | str, fields: JsonObject, if_match: int | None = None) -> Ask[dict[str, Any]]:
    """Keep unfinished work; ``if_match`` is the revision that it replaces, None for the first."""
    headers = {"content_type": "application/json"} | if_matches(if_match)
    return _ask(put(at("tasks", _id_of(task), "draft"), {"fields": fields}, **headers))


def quality(project: str, report: str) -> Ask[dict[str, Any]]:
    """Read a quality report: ``agreement``, ``annotators`` or ``consistency``."""
    return _ask(get(at("projects", project, report)))


def freeze(
    project: str,
    tag: str | None = None,
    note: str = "",
    filter: JsonObject | None = None,  # noqa: A002 - the API's word
) -> Ask[dict[str, str]]:
    """Freeze a project's labels, as of now, into a dataset version: ``{job_id}``.

    Args:
        project: The project.
        tag: A name for it that can be moved later.
        note: What it is for.
        filter: ``languages``, ``decided_by``, ``min_confidence``; None: every label.
    """
    return _ask(post(at("projects", project, "datasets"), {"tag": tag, "note": note, "filter": filter or {}}))


def datasets(project: str, cursor: str | None = None) -> Ask[Page]:
    """List a project's dataset versions, the newest first."""
    return _ask(get(at("projects", project, "datasets"), cursor=cursor))


def dataset(name: str) -> Ask[dict[str, Any]]:
    """Read a dataset version by id or tag."""
    return _ask(get(at("datasets", name)))


def diff(before: str, after: str, cursor: str | None = None) -> Ask[dict[str, Any]]:
    """Compare two dataset versions: ``counts`` of the whole, and a page of the samples that differ."""
    return _ask(get(at("datasets", before, "diff", after), cursor=cursor))


def tag(dataset: str, name: str) -> Ask[None]:
    """Let a tag point to a dataset."""
    return _ask(put(at("datasets", dataset, "tags", name), {}))


def export(dataset: str, format: str, options: JsonObject | None = None) -> Ask[dict[str, str]]:  # noqa: A002 - as above
    """Write a dataset as files: ``{job_id}``, which is also the export's id."""
    return _ask(post(at("datasets", dataset, "exports"), {"format": format, "options": options or {}}))


def export_formats() -> Ask[Page]:
    """List the formats of exports, with their options."""
    return _ask(get(at("exports", "formats")))


def errors(project: str, model: str | None = None, cursor: str | None = None) -> Ask[Page]:
    """List how models do, per version and field; of one model, or of all."""
    return _ask(get(at("projects", project, "errors"), model=model, cursor=cursor))


def findings(
    project: str, model: str | None = None, state: Literal["open", "closed"] | None = None, cursor: str | None = None
) -> Ask[Page]:
    """List what models err in, the newest first."""
    return _ask(get(at("projects", project, "findings"), model=model, state=state, cursor=cursor))


def finding(project: str, finding_id: str) -> Ask[dict[str, Any]]:
    """Read a finding and how far it is worked off."""
    return _ask(get(at("projects", project, "findings", finding_id)))


def dismiss(project: str, finding_id: str, reason: str) -> Ask[None]:
    """Close a finding that needs no work."""
    return _ask(post(at("projects", project, "findings", finding_id, "dismiss"), {"reason": reason}))


def _ask(call: Call) -> Ask[Any]:
    return Ask.as_it_is(call)


def _id_of(task: ClaimedTask | str) -> str:
    return task if isinstance(task, str) else task.task
