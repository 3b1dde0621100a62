"""Freezes datasets, has them exported, and fetches the files."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from examples.demo.figures import DatasetFigures, DiffFigures, ExportFigures
from examples.demo.plan import DemoSettings, Run
from labelmesh import AsyncLabelmesh, Labelmesh, api

JOB_SECONDS: Final = 60.0
EXAMPLES_SHOWN: Final = 3
SUFFIXES: Final[Mapping[str, str]] = {"jsonl": "jsonl", "coco": "coco.json", "rttm": "rttm", "parquet": "parquet"}


class JobFailedError(Exception):
    """A freeze or an export came to nothing."""

    def __init__(self, what: str, result: Mapping[str, Any] | None) -> None:
        super().__init__(f"The {what} failed: {(result or {}).get('failure', 'no reason was given')}")


@dataclass(frozen=True)
class Frozen:
    """A frozen dataset with its rows, as its export holds them."""

    figures: DatasetFigures
    export: ExportFigures
    rows: Sequence[Mapping[str, Any]]


class Archive:
    """Makes datasets of this run's projects, and keeps what it fetches in a folder."""

    def __init__(self, client: AsyncLabelmesh, settings: DemoSettings, run: Run) -> None:
        self._client = client
        self._settings = settings
        self._run = run
        self._folder = settings.home / "demo"

    async def freeze(self, project: str, version: int, note: str) -> Frozen:
        """Freeze a project's labels, tag the dataset, and fetch its rows.

        Raises:
            JobFailedError: It cannot be frozen or exported.
        """
        tag = self._run.tag(project, version)
        asked = await self._client.ask(api.freeze(self._run.project_id(project), tag, note))
        result = await self._result(asked["job_id"], f"freeze of {tag}")
        found = await self._client.ask(api.dataset(result["dataset_id"]))
        export = await self.export(project, version, "jsonl")
        rows = await asyncio.to_thread(_read_rows, Path(export.path))
        figures = DatasetFigures(
            dataset_id=found["dataset_id"],
            tag=tag,
            samples=found["counts"]["samples"],
            decided_by=found["counts"]["decided_by"],
            languages=found["counts"]["languages"],
        )
        return Frozen(figures, export, rows)

    async def export(self, project: str, version: int, format_: str) -> ExportFigures:
        """Have a tagged dataset written in a format, and download the file.

        Raises:
            JobFailedError: It cannot be exported.
        """
        tag = self._run.tag(project, version)
        asked = await self._client.ask(api.export(tag, format_))
        result = await self._result(asked["job_id"], f"export of {tag} as {format_}")
        path = self._folder / f"{project}-v{version}.{SUFFIXES[format_]}"
        size = await asyncio.to_thread(self._download, asked["job_id"], path)
        return ExportFigures(
            format=format_, tag=tag, path=str(path), size=size, promised=result["size"], records=result["records"]
        )

    async def diff(self, before: Frozen, after: Frozen) -> DiffFigures:
        """Tell what differs between two datasets."""
        found = await self._client.ask(api.diff(before.figures.dataset_id, after.figures.dataset_id))
        counts = found["counts"]
        return DiffFigures(
            before=before.figures.tag,
            after=after.figures.tag,
            changed=counts["changed"],
            reverified=counts["reverified"],
            unchanged=counts["unchanged"],
            fields=counts["fields"],
            examples=[told for item in found["items"] for told in _in_words(item)][:EXAMPLES_SHOWN],
        )

    async def _result(self, job_id: str, what: str) -> Mapping[str, Any]:
        job = await self._client.wait_for(job_id, JOB_SECONDS)
        if job.state != "done" or job.result is None:
            raise JobFailedError(what, job.result)
        return job.result

    def _download(self, export_id: str, path: Path) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        with Labelmesh(self._settings.gateway, self._settings.owner_key) as client:
            return client.download_export(export_id, path)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _in_words(item: Mapping[str, Any]) -> list[str]:
    """Tell of the fields of a changed sample; values that are lists or objects are too long to show."""
    told = []
    for name, change in item["fields"].items():
        before, after = change["before"], change["after"]
        plain = isinstance(before, str | float | int) and isinstance(after, str | float | int)
        told.append(f"{item['external_id']}: {name} {f'{before} → {after}' if plain else 'corrected'}")
    return sorted(told, key=lambda words: "corrected" in words)
