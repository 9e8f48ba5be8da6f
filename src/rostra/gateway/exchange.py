"""One request and its answer: finds where it goes, carries both, and ends both sides properly whoever leaves first."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from rostra.gateway import answers, forwarding, headers, outgoing
from rostra.gateway.answer_head import Answer
from rostra.gateway.backend import BackendConnection
from rostra.gateway.decide import Decision, exchanged
from rostra.gateway.framing import LAST_CHUNK, chunk
from rostra.gateway.head import CHUNKED, Request
from rostra.gateway.link import ControlAway
from rostra.gateway.pools import Process
from rostra.gateway.rights import Right, holds

if TYPE_CHECKING:
    from rostra.gateway.connection import ClientConnection
    from rostra.gateway.plane import Plane

log = logging.getLogger("rostra.gateway")

MOST_PROCESSES_TRIED = 6  # they may all have ended together, with their keeper

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
MOST_HELD = 262_144  # bytes of a body kept while nobody takes them yet


class Exchange:
    """Owned by the client connection, which calls it with what the client sends; a backend connection calls it back."""

    __slots__ = (
        "_chunks",
        "_decision",
        "_first",
        "_process",
        "_retried",
        "_stripped",
        "_stuck",
        "_task",
        "_whence",
        "answer_begun",
        "backend",
        "client",
        "ended",
        "is_head",
        "keep",
        "plane",
        "prefix",
        "request",
        "request_done",
    )

    def __init__(self, plane: Plane, client: ClientConnection, request: Request, stripped: bytes) -> None:
        self.plane = plane
        self.client = client
        self.request = request
        self.is_head = request.method == b"HEAD"
        self.prefix: bytes | None = None
        self.backend: BackendConnection | None = None
        self.request_done = False
        self.answer_begun = False
        self.ended = False
        self.keep = False  # the client connection after this exchange
        self._stripped = stripped
        self._whence: forwarding.Whence | None = None
        self._decision: Decision | None = None
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._first = b""  # the body as far as it came before there was a backend
        self._stuck = False  # more of the body has been sent than _first holds
        self._retried = False
        self._chunks = False  # the answer goes to the client in chunks

    # What the client does

    def begin(self, payload: bytes, *, done: bool) -> None:
        """Carry at once when everything needed is remembered; otherwise let a task find out."""
        self._first = payload
        self.request_done = done
        if not self._go_now():
            self._task = self.plane.spawn(self._find_way())

    def request_payload(self, payload: bytes, *, done: bool) -> None:
        self.request_done = done
        backend = self.backend
        if backend is None:
            self._first += payload
            if len(self._first) > MOST_HELD:
                self.client.hold()
        elif not backend.transport.is_closing():
            self._stuck = True
            backend.transport.write(self._framed(payload, done=done))

    def client_lost(self) -> None:
        """End the other side too: nobody waits for the answer any more."""
        if not self.ended:
            self._end(reusable=False)

    def client_full(self) -> None:
        if self.backend is not None:
            self.backend.pause()

    def client_writable(self) -> None:
        if self.backend is not None:
            self.backend.resume()

    # Where it goes

    def _go_now(self) -> bool:
        plane, request = self.plane, self.request
        self.prefix = prefix = plane.prefix_of(request.path)
        decision = None
        if prefix is not None:
            decision = plane.decisions.fresh(request.fields.credential, prefix, plane.now())
            if decision is None:
                return False
            if decision.redirect:
                self._redirect(decision)
                return True
            if decision.pool:
                return self._go_now_to_process(decision)
        elif not plane.told_vanities.is_set():
            return False
        backend = plane.backends.take(plane.control_path, repeatable=self._may_repeat())
        if backend is None:
            return False
        self._send(backend, self._head_for_control(b""))
        return True

    def _go_now_to_process(self, decision: Decision) -> bool:
        process = self.plane.pool(decision.pool).choose(self.request.fields.sticky)
        target = exchanged(self.request.target, decision)
        if process is None or target is None:
            return False
        backend = self.plane.backends.take(process.socket, repeatable=self._may_repeat())
        if backend is None:
            return False
        self._take(process, decision)
        self._send(backend, self._head_for_content(decision, target))
        return True

    async def _find_way(self) -> None:
        try:
            if self.prefix is None and not self.plane.told_vanities.is_set():
                self.prefix = await self.plane.known_prefix_of(self.request.path)
            if self.prefix is None:
                await self._reach_control(b"")
            else:
                await self._follow(self.prefix)
        except ControlAway as why:
            self.fail(503, str(why))
        except Exception:
            log.exception("a request could not be carried")
            self.fail(502, "The server could not carry this request.")

    async def _decided(self, prefix: bytes) -> Decision:
        return await self.plane.deciding.decide(self.request.fields.credential, prefix, self.request.path)

    async def _follow(self, prefix: bytes) -> None:
        changes = self.plane.deciding.changes
        decision = await self._decided(prefix)
        if decision.redirect:
            self._redirect(decision)
            return
        target = exchanged(self.request.target, decision) if decision.pool else None
        if target is None:
            await self._reach_control(b"")
            return
        reason = b"unreachable"
        for _ in range(MOST_PROCESSES_TRIED):  # nothing of the request has been sent to any of them
            found = await self.plane.process_for(decision, self.request)
            if isinstance(found, bytes):
                reason = found
                break
            if changes != self.plane.deciding.changes:  # waiting may have taken minutes, in which access may have ended
                changes = self.plane.deciding.changes
                if not holds(self._right_by(decision, prefix), await self._decided(prefix)):
                    reason = b""
                    break
            if await self._reach_process(found, decision, target):
                return
        await self._reach_control(reason)

    async def _reach_process(self, process: Process, decision: Decision, target: bytes) -> bool:
        self._take(process, decision)
        try:
            backend = await self.plane.backends.connect(process.socket)
        except OSError:
            self._leave()
            self.plane.unreachable(process)
            return False
        self._send(backend, self._head_for_content(decision, target))
        return True

    async def _reach_control(self, reason: bytes) -> None:
        self._decision = None
        backend = await self.plane.reach_control()
        self._send(backend, self._head_for_control(reason))

    def _take(self, process: Process, decision: Decision) -> None:
        process.take()
        self._process = process
        self._decision = decision
        self.plane.taken(process)

    def _leave(self) -> None:
        if self._process is not None:
            self._process.leave()
            self._process = None

    def _redirect(self, decision: Decision) -> None:
        _, mark, query = self.request.target.partition(b"?")
        location = self.plane.forwarding.prefix + decision.redirect + mark + query
        keep = self._may_keep() and bool(self.request.minor)
        self._answer_ourselves(answers.redirect(location, keep=keep), keep=keep)

    # The request

    def _head_for_content(self, decision: Decision, target: bytes) -> bytes:
        request, plane, client = self.request, self.plane, self.client
        known = client.known_lines
        if known is None or known[:3] != (request.fields, request.host, decision):
            base = plane.external(decision.base)
            known = outgoing.lines_for_content(request, decision, client.whence(request), base)
            client.known_lines = known
        self._whence = known.whence
        plane.visited(decision, request)
        url = plane.forwarding.url(known.whence, request.target)
        return outgoing.head_for_content(request, target, url, known.lines)

    def _head_for_control(self, reason: bytes) -> bytes:
        whence = self.client.whence(self.request)
        return outgoing.head_for_control(self.request, whence, stripped=self._stripped, reason=reason)

    def _send(self, backend: BackendConnection, head: bytes) -> None:
        if self.ended:
            backend.let_go()
            return
        self.backend = backend
        backend.exchange = self
        if self.client.full:
            backend.pause()
        if not self.request_done:
            backend.keep_spare()
        self.client.release()
        backend.transport.write(head + self._framed(self._first, done=self.request_done))

    def _framed(self, payload: bytes, *, done: bool) -> bytes:
        if self.request.fields.length != CHUNKED:
            return payload
        return chunk(payload) + LAST_CHUNK if done else chunk(payload)

    def _may_repeat(self) -> bool:
        """Whether the request could be sent a second time, should the connection prove stale."""
        if not self.request.fields.length:
            return True
        return self.request_done and not self._stuck and self.request.method in IDEMPOTENT

    # The answer

    def interim(self, answer: Answer) -> None:
        """Pass 100 and 103 on; HTTP/1.0 knows no such thing."""
        self._retried = True  # it has been read: sending it again could do it twice
        if self.request.minor:
            self._write(headers.visible(answer, from_content=self._decision is not None) + b"\r\n")

    def answered(self, answer: Answer, payload: bytes) -> None:
        """The head of the answer is here, with what came of its body."""
        self.answer_begun = True
        head = answer.visible
        if head is None:
            answer.visible = head = headers.visible(answer, from_content=self._decision is not None)
        end, self.keep, self._chunks = outgoing.end_of_head(self.request, answer, keep=self._may_keep())
        if self._chunks:
            payload = chunk(payload)
        self._write(head + self._sticky() + end + payload)

    def _may_keep(self) -> bool:
        # Nobody can know whether a client that was refused instead of told to continue sends its body all the same.
        unsaid = self.request.fields.expects and not self.request_done and not self._first and not self._stuck
        return self.request.keep_alive and not self.plane.draining and not unsaid

    def _sticky(self) -> bytes:
        decision, process = self._decision, self._process
        if decision is None or process is None or not decision.sticky:
            return b""
        if process.key.encode() in self.request.fields.sticky:
            return b""
        secure = self._whence is not None and self._whence.is_secure
        paths = dict.fromkeys((decision.base, decision.prefix))  # the page's absolute links, and its relative ones
        return b"".join(headers.sticky_line(process.key, self.plane.external(path), secure=secure) for path in paths)

    def answer_payload(self, payload: bytes) -> None:
        self._write(chunk(payload) if self._chunks else payload)

    def answer_done(self, *, reusable: bool) -> None:
        if self.ended:
            return
        if self._chunks:
            self._write(LAST_CHUNK)
        self._end(reusable=reusable and self.request_done)
        self.client.exchange_ended(self)

    def upgraded(self, answer: Answer, data: bytes) -> None:
        """101: from here on both ends speak their own protocol."""
        backend = self.backend
        if not self.request.is_websocket or backend is None:
            self.bad_answer("it changes to a protocol that was not asked for")
            return
        head = headers.visible(answer, from_content=self._decision is not None) + self._sticky()
        self._write(head + outgoing.UPGRADED + b"\r\n" + data)
        right = self.right
        process, self._process = self._process, None
        self.ended = True
        backend.exchange = None
        backend.resume()
        self.client.become_pair(backend, process, right, self.plane.joined(self._decision))

    # When access ends

    @property
    def right(self) -> Right | None:
        """By what it goes to a process of content; None while it does not."""
        decision = self._decision
        if self.ended or self._process is None or decision is None or self.prefix is None:
            return None
        return self._right_by(decision, self.prefix)

    def _right_by(self, decision: Decision, prefix: bytes) -> Right:
        return Right((self.request.fields.credential, prefix), self.request.path, decision)

    def revoke(self) -> None:
        self.fail(403, "You may not open this content any more.")

    # When something goes wrong

    def bad_answer(self, what: str) -> None:
        log.warning("a content process answered badly: %s", what)
        self.fail(502, "The content answered with something that is not HTTP.")

    def backend_lost(self) -> None:
        """The backend is gone before its answer was complete."""
        backend, self.backend = self.backend, None
        if self.ended or backend is None:
            return
        backend.exchange = None
        if self._was_stale(backend):
            self._retried = True
            self._leave()
            self._task = self.plane.spawn(self._find_way())
        else:
            self.fail(502, "The content stopped before it had answered.")

    def _was_stale(self, backend: BackendConnection) -> bool:
        """Whether a kept connection ended before it said anything, which is how one looks that was closing already."""
        untouched = backend.reused and not backend.held and not self.answer_begun
        return untouched and self._may_repeat() and not self._retried

    def fail(self, status: int, sentence: str) -> None:
        """Answer ``status`` if nothing has been answered yet; otherwise cut the answer short so that it shows."""
        if self.ended:
            return
        if self.answer_begun:
            self._end(reusable=False)
            self.client.cut()
            return
        keep = self._may_keep() and bool(self.request.minor) and status != 408
        path = self.request.path
        self._answer_ourselves(answers.plain(status, sentence, path=path, head_only=self.is_head, keep=keep), keep=keep)

    def _answer_ourselves(self, whole: bytes, *, keep: bool) -> None:
        self.answer_begun = True
        self.keep = keep
        self._write(whole)
        self._end(reusable=False)
        self.client.exchange_ended(self)

    def _end(self, *, reusable: bool) -> None:
        self.ended = True
        self._leave()
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        backend, self.backend = self.backend, None
        if backend is None:
            return
        if reusable:
            self.plane.backends.give_back(backend)
        else:
            backend.let_go()

    # Flow

    def _write(self, data: bytes) -> None:
        self.client.write(data)

    def backend_full(self) -> None:
        self.client.hold()

    def backend_writable(self) -> None:
        self.client.release()
