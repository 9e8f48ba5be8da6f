"""What the parameters of paths and queries mean, said once for every operation that has one of that name."""

from __future__ import annotations

from collections.abc import Mapping

_GUIDS = (  # by what stands before it in the path
    ("/content/", "Guid of a content item"),
    ("/applications/", "Guid of a content item"),
    ("/users/", "Guid of an account"),
    ("/groups/", "Guid of a group"),
    ("/environments/", "Guid of an execution environment"),
    ("/integrations/", "Guid of an OAuth integration"),
    ("/sessions/", "Guid of a session with a provider"),
)
_KEYS = (
    ("/jobs/", "Key of a job"),
    ("/job/", "Key of a job"),
    ("/variants/", "Key of a variant"),
    ("/templates/", "Name of a template"),
)
WORDS: Mapping[str, str] = {
    "account_status": "Only accounts in one of these states.",
    "action": "Only what was done by this action; a search takes several with `|` between them.",
    "active": "Only machines that answer, or only those that do not.",
    "all": "Everybody's, for administrators.",
    "app_mode": "A kind of content, as `python-fastapi`.",
    "ascOrder": "As `asc_order`; when both are sent, this one counts.",
    "asc_order": "Whether the oldest, or the first by name, comes first.",
    "branch": "A branch; the repository's own default when it is left out.",
    "bundle_id": "Number of a bundle.",
    "cont": "`continuation` of the answer before.",
    "content_guid": "Only these content items, by guid, with `|` between them.",
    "count": "Most rows in an answer.",
    "detailed": "Each moment by itself, with its schedule.",
    "email": "Whom it is sent to: `me`, `collaborators` or `collaborators_viewers`.",
    "end": "Up to this moment (RFC 3339).",
    "entry_id": "Number of an entry.",
    "filename": "What the file is called.",
    "filter": "`name:…` or `account_id:…`, both exact.",
    "first": "Lines from this one on, counted from 0; all when it is left out.",
    "first_status": "Lines from this one on, counted from 0.",
    "format": "What the answer is.",
    "from": "From this moment on (RFC 3339, or a date).",
    "include": "What else is told of each item, with commas: `owner`, `tags`, `vanity_url`, ….",
    "kind": "Only content of this kind, as `python-fastapi`.",
    "key_id": "Number of an API key.",
    "language": "Only packages of this language.",
    "limit": "Most rows in an answer.",
    "maxLogLines": "The newest lines, at most so many.",
    "name": "Only what is called exactly so.",
    "next": "`paging.cursors.next` of the page before.",
    "order": "Whether the smallest or the largest comes first.",
    "outcome": "Only those whose last run ended in one of these ways.",
    "owner": "Only content of this account: a user name or an address of mail.",
    "owner_guid": "Only content of this account.",
    "page_number": "Which page, counted from 1.",
    "page_size": "How many rows a page has.",
    "parent_id": "Only tags directly below this one.",
    "path": "A file within the bundle.",
    "permission_guid": "Guid of a permission.",
    "permission_id": "Number of a permission.",
    "prefix": "Only those whose name begins so.",
    "previous": "`paging.cursors.previous` of the page after.",
    "python": "Only content on this version or range, as `3.8` or `<3.10`.",
    "q": "What is sought.",
    "queue_names": "Only these kinds of work, with `,` or `|` between them.",
    "rehearsal_id": "Id of a rehearsal.",
    "rendering_id": "Which revision; the newest when it is left out.",
    "retire": "What is to be retired: a version or a range.",
    "run_id": "Number of a run of the checks.",
    "schedule_id": "Number of a schedule.",
    "scheduled": "Only those with a schedule, or only those without.",
    "search": "Part of a name or title.",
    "sort": "What rows are put in order by.",
    "start": "From this row or moment on.",
    "subject": "Only what was done to this, as `subject` of an entry names it.",
    "tag_id": "Number of a tag.",
    "task_id": "Id of a task.",
    "to": "Up to this moment (RFC 3339; a date is meant to its end).",
    "token": "Id of a token.",
    "token_guid": "Guid of a service token.",
    "unused_for": "Only content that nobody visited for so long, as `30d`.",
    "url": "Address of a Git repository.",
    "user_guid": "Guid of an account.",
    "user_role": "Only accounts with one of these roles.",
    "variant_id": "Number of a variant.",
    "variant_key": "Key of a variant; the default one when it is left out.",
    "version": "Only this version.",
    "wait": "Seconds to wait for news, at most 30.",
}


def meaning(name: str, path: str) -> str:
    """Return what the parameter means in this path; empty when nobody has said it."""
    if name in ("guid", "key"):
        before = path.partition(f"{{{name}}}")[0]
        found = next((said for ending, said in (_GUIDS if name == "guid" else _KEYS) if before.endswith(ending)), "")
        return f"{found}." if found else ""
    return WORDS.get(name, "")
