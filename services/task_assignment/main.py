"""Task assignment: the one place that knows its parts, and wires them."""

from __future__ import annotations

from datetime import timedelta

from fastapi.middleware import Middleware

from services.task_assignment import store as stored
from services.task_assignment import workloads
from services.task_assignment.api import create_router
from services.task_assignment.claims_api import create_direct_routes
from services.task_assignment.desk import Desk
from services.task_assignment.domain.annotator import Annotator
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.tasks import SampleTasks
from services.task_assignment.domain.working import DayWork
from services.task_assignment.door_caps import DoorCaps
from services.task_assignment.escalation import Escalation
from services.task_assignment.hand import Hand
from services.task_assignment.handlers import create_annotator_routes, create_sample_routes, create_work_routes
from services.task_assignment.images import Images
from services.task_assignment.imaging import Imager
from services.task_assignment.keeper import REPAIR_EVERY, Keeper
from services.task_assignment.late_api import LateReader, create_late_router
from services.task_assignment.manager_api import create_manager_router
from services.task_assignment.parts import Parts
from services.task_assignment.pausing import create_pausing_routes
from services.task_assignment.settings import TaskAssignmentSettings
from services.task_assignment.voiding import Voiding
from services.task_assignment.watching import Watch
from services.task_assignment.workload_api import create_workload_router
from shared.clock import Clock, utc_now
from shared.consumer import TALLY_EVERY
from shared.direct import DirectRoutes
from shared.service import Service


def create_service(settings: TaskAssignmentSettings, clock: Clock = utc_now) -> Service:
    """Return the service, wired and not yet started; the clock may be off, for the broker's alone decides."""
    service = Service("task_assignment", settings, settings.task_assignment_port, linger_ms=0)
    board = Board()
    samples = service.ledger(
        stored.SAMPLES, SampleTasks, on_saved=board.put_saved, on_unchanged=board.put_saved, without_none=True
    )
    store = stored.Store(service.database, samples.learn)
    imager = Imager(Images(service.database), board, partitions=settings.partitions)
    keeper = Keeper(store, board, imager, service.producer, clock, address=settings.task_assignment_url)
    escalation = Escalation(service.catalog)
    desk = Desk(
        store, board, service.catalog, service.producer, clock, partitions=settings.partitions, escalation=escalation
    )
    watch = Watch(
        store,
        board,
        service.catalog,
        service.producer,
        clock,
        escalation=escalation,
        partitions=settings.partitions,
    )
    annotators = service.ledger(stored.ANNOTATORS, Annotator)

    kept_work = workloads.MongoWorkloads(service.database)
    caps = DoorCaps(store, kept_work, service.catalog, settings.partitions)
    service.consume(
        *create_sample_routes(samples, service.catalog, settings.partitions, caps),
        service.eraser("task_assignment").reaction(),
        watcher=keeper,
    )
    hand = Hand(store, board, service.catalog, service.producer, clock)
    service.consume(
        *create_annotator_routes(annotators),
        *create_pausing_routes(store, hand),
        group="task_assignment-annotators",
        batch_every=TALLY_EVERY,
    )
    service.at_start(store.ensure_indexes)
    service.every(timedelta(seconds=1), "take back ended leases", keeper.take_back)
    service.every(timedelta(seconds=1), "let those who skipped return", keeper.let_return)
    service.every(timedelta(seconds=1), "write progress", keeper.write_progress)
    service.every(timedelta(seconds=5), "measure", keeper.measure)
    service.every(timedelta(seconds=3), "look at due dates", watch.look)
    service.every(REPAIR_EVERY, "repair the board", keeper.repair)
    service.every(timedelta(seconds=1), "repair what began from images", keeper.repair_after_images)
    service.every(timedelta(seconds=1), "keep images of the board", imager.keep)
    service.every(timedelta(0), "desk", desk.run)
    service.at_stop(keeper.leave)
    parts = Parts(service, store, board, desk, hand, settings.lease_secret.get_secret_value(), clock)
    service.app.user_middleware.append(Middleware(DirectRoutes, routes=create_direct_routes(parts)))
    service.app.include_router(create_router(parts))
    work = service.ledger(workloads.WORK, DayWork)
    service.consume(*create_work_routes(work, annotators), group="task_assignment-work", batch_every=TALLY_EVERY)
    service.at_start(kept_work.ensure_indexes)
    service.app.include_router(create_workload_router(service.caller, kept_work, clock))
    late = LateReader(store, clock, settings.partitions)
    service.app.include_router(create_late_router(service.caller, late, service.catalog))
    voiding = Voiding(store, board, service.producer, clock)
    service.consume(*voiding.routes(), group="task_assignment-voids")
    service.app.include_router(create_manager_router(service.caller, hand, store, parts.lease_secret))
    return service
