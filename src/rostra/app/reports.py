"""Documents beside their deploys: rendering again, on request and by schedule, and the mail that follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.app.job_log import JobLog
from rostra.auth.tables import User
from rostra.content import items, job_records
from rostra.content.tables import Item, Job, Rendering
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.ids import TaskId, new_key
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Limits, Work
from rostra.jobs.tasks import Tasks
from rostra.jobs.worker import Handler
from rostra.kinds.registry import by_name
from rostra.mail import letters, outbox
from rostra.mail.postman import Postman
from rostra.mail.transport import NotTaken
from rostra.rendering import delivery, variants, variants_people
from rostra.rendering.delivery import Edition
from rostra.rendering.refresh import Refresh, RenderVariant, refresh
from rostra.rendering.schedules import RENDER, SCHEDULED, Due
from rostra.rendering.tables import Variant

SEND, TEST_MAIL = "send-report", "send-test-mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """The handlers, each safe to repeat from the start, and the functions that enqueue for them."""

    tools: Tools
    tasks: Tasks
    render: RenderVariant
    postman: Postman

    def handlers(self) -> Mapping[str, Handler]:
        return {RENDER: self._render, SCHEDULED: self._render, SEND: self._send, TEST_MAIL: self._test}

    def limits(self) -> Limits:
        return {SCHEDULED: self.tools.settings().applications.schedule_concurrency}

    # What others ask for, within their transaction

    async def enqueue_render(
        self,
        session: AsyncSession,
        item: Item,
        variant: Variant,
        user_id: int,
        *,
        activate: bool = True,
        quiet: bool = False,
    ) -> TaskId:
        """Add the task that renders a variant again, and the job record that shows it at once.

        ``quiet``: who follows the task may not read what the document writes, only how it ends.
        """
        job = await self._begin(session, item, variant)
        payload = {"guid": item.guid, "variant_id": variant.id, "job": job.key, "mail": False, "activate": activate}
        payload["quiet"] = quiet
        return await self.tasks.enqueue(session, RENDER, payload, subject=item.guid, user_id=user_id)

    async def enqueue_send(
        self, session: AsyncSession, variant: Variant, rendering: Rendering, to: str, user_id: int
    ) -> TaskId:
        """Add the task that mails a rendering; ``to``: me, collaborators or collaborators_viewers."""
        payload = {"variant_id": variant.id, "rendering_id": rendering.id, "to": to}
        return await self.tasks.enqueue(session, SEND, payload, user_id=user_id)

    async def enqueue_test_mail(self, session: AsyncSession, to: str, user_id: int) -> TaskId:
        return await self.tasks.enqueue(session, TEST_MAIL, {"to": to}, user_id=user_id)

    async def start_due(self, session: AsyncSession, due: Due) -> None:
        """Begin a scheduled run, or write down why it was skipped."""
        job = await self._begin(session, due.item, due.variant)
        job.due_at = due.at
        if due.overlap:
            job.skip_reason, job.ended_at = due.overlap, job.queued_at
            return
        payload = {
            "guid": due.item.guid,
            "variant_id": due.variant.id,
            "job": job.key,
            "mail": due.schedule.email,
            "activate": due.schedule.activate,
        }
        by = due.schedule.created_by_id
        await self.tasks.enqueue(session, SCHEDULED, payload, subject=due.item.guid, user_id=by)

    async def _begin(self, session: AsyncSession, item: Item, variant: Variant) -> Job:
        key, now = new_key(), self.tools.clock.now()
        log = self.tools.places.log(item.guid, key).relative_to(self.tools.places.data_dir)
        tag, bundle = by_name(item.kind).job_tag, item.live_bundle_id
        job = await job_records.begin(
            session, item.id, tag, now, key=key, bundle_id=bundle, log=str(log), started=False
        )
        job.variant_id = variant.id
        await session.flush()
        return job

    # What workers do

    async def _render(self, work: Work, output: TaskLog) -> None:
        told: Any = work.payload
        order = Refresh(
            guid=told["guid"],
            variant_id=told["variant_id"],
            job=told["job"],
            scheduled=work.kind == SCHEDULED,
            mail=told["mail"],
            activate=told["activate"],
        )
        async with transaction(self.tools.sessions) as session:
            await items.get(session, order.guid)  # of a deleted item not even a log is begun
            job = await session.get(Job, order.job)
            if job is not None and job.started_at is None:
                job.started_at = self.tools.clock.now()
        try:
            async with JobLog(self.tools, order.guid, order.job, output, quiet=told.get("quiet", False)) as log:
                await refresh(order, self.tools, self.render, log.say)
        finally:
            self.postman.wake()

    async def _send(self, work: Work, output: TaskLog) -> None:
        told: Any = work.payload
        self._require_mail()
        async with transaction(self.tools.sessions) as session:
            variant, item = await variants.get(session, told["variant_id"])
            rendering = await session.get(Rendering, told["rendering_id"])
            if rendering is None or rendering.item_id != item.id:
                raise variants.NoSuchRendering(told["rendering_id"])
            people = await variants_people.asked_for(session, item, variant, told["to"], work.user_id or 0)
            edition = Edition(item, variant, rendering)
            count = await delivery.send(session, self.tools, edition, people, key=f"{work.id}/send")
        self.postman.wake()
        output.say(f"Mailed to {count} of {len(people)} with a mail address")

    async def _test(self, work: Work, output: TaskLog) -> None:
        """Send one letter now and say how that went: the outbox would only say that it tries."""
        told: Any = work.payload
        self._require_mail()
        server = self.tools.settings().server
        async with transaction(self.tools.reading) as session:
            asking = await session.get(User, work.user_id or 0)
        name = asking.username if asking else "somebody"
        letter = letters.trial(server.system_display_name, f"{self.tools.server_url}/", name)
        now = self.tools.clock.now()
        mail = outbox.row(f"{work.id}/test", told["to"], letter, sender=server.sender_email, now=now)
        await self.postman.hand_over(mail)
        output.say(f"The mail server took a letter to {told['to']}")

    def _require_mail(self) -> None:
        if not delivery.is_on(self.tools.settings()):
            raise NotTaken("this server does not send mail", for_ever=True)
