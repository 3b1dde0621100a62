"""Valid events, specs and facts, so that a test names only what it is about.

Each builder takes any field of its event as a keyword. What is not given is consistent: events made with the same
``external_id`` (or none) are about one sample of one project of one tenant. Each module of ``shared.events`` has its
builders in a module here.
"""

from collections.abc import Callable

from shared.events import Event
from tests.builders.annotation_events import *  # noqa: F403 - one door to all builders
from tests.builders.base import *  # noqa: F403 - one door to all builders
from tests.builders.dataset_events import *  # noqa: F403 - one door to all builders
from tests.builders.duplicate_events import *  # noqa: F403 - one door to all builders
from tests.builders.erasure_events import *  # noqa: F403 - one door to all builders
from tests.builders.external_events import *  # noqa: F403 - one door to all builders
from tests.builders.feedback_events import *  # noqa: F403 - one door to all builders
from tests.builders.import_events import *  # noqa: F403 - one door to all builders
from tests.builders.migration_events import *  # noqa: F403 - one door to all builders
from tests.builders.project_events import *  # noqa: F403 - one door to all builders
from tests.builders.quality_events import *  # noqa: F403 - one door to all builders
from tests.builders.replacement_events import *  # noqa: F403 - one door to all builders
from tests.builders.resemblance_events import *  # noqa: F403 - one door to all builders
from tests.builders.sample_events import *  # noqa: F403 - one door to all builders
from tests.builders.sla_events import *  # noqa: F403 - one door to all builders
from tests.builders.task_events import *  # noqa: F403 - one door to all builders
from tests.builders.taxonomy_events import *  # noqa: F403 - one door to all builders
from tests.builders.upload_events import *  # noqa: F403 - one door to all builders
from tests.builders.work_events import *  # noqa: F403 - one door to all builders

BUILDERS: dict[type[Event], Callable[..., Event]] = {
    made: build
    for build in list(vars().values())
    if callable(build) and isinstance(made := getattr(build, "__annotations__", {}).get("return"), type)
    if issubclass(made, Event)
}
"""The builder of every type of event."""
