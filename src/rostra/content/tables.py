"""Items, their bundles, who may see them, their variables and the processes started for them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from rostra.db.base import Table


class Item(Table):
    """One piece of content. Fields that are None mean: the server's default.

    ``kind`` is ``unknown`` until the first deploy. ``live_bundle_id`` is what visitors get.
    ``settings`` holds the wire's rarely used fields that Rostra only keeps (GPU limits, image names).
    """

    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    guid: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    name: Mapped[str]
    title: Mapped[str | None]
    description: Mapped[str] = mapped_column(default="")
    kind: Mapped[str] = mapped_column(default="unknown")
    content_category: Mapped[str] = mapped_column(default="")
    access_type: Mapped[str] = mapped_column(default="acl")  # all, logged_in, acl
    live_bundle_id: Mapped[int | None]  # no foreign key: items and bundles would need each other
    locked: Mapped[bool] = mapped_column(default=False)
    locked_message: Mapped[str] = mapped_column(default="")
    vanity_path: Mapped[str | None] = mapped_column(unique=True)  # with both slashes
    vanity_at: Mapped[dt.datetime | None]
    min_processes: Mapped[int | None]
    max_processes: Mapped[int | None]
    max_conns_per_process: Mapped[int | None]
    load_factor: Mapped[float | None]
    init_timeout: Mapped[int | None]  # seconds
    idle_timeout: Mapped[int | None]
    connection_timeout: Mapped[int | None]
    read_timeout: Mapped[int | None]
    memory_request: Mapped[int | None]
    memory_limit: Mapped[int | None]
    cpu_request: Mapped[float | None]
    cpu_limit: Mapped[float | None]
    run_as: Mapped[str | None]
    manage_python: Mapped[bool | None]  # default_py_environment_management on the wire
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    deployed_at: Mapped[dt.datetime | None]
    deleted_at: Mapped[dt.datetime | None]  # set first, files are removed afterwards: a crash in between is reconciled

    __table_args__ = (sa.Index("items_by_owner_name", "owner_id", "name"),)


class Bundle(Table):
    """One immutable upload. ``state``: ``pending`` (still to come), ``uploaded``, ``built`` (environment ready) or
    ``failed``.

    ``runtime_version`` and ``environment_key`` are what the last successful build matched; ``match_reason`` says why.
    """

    __tablename__ = "bundles"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), index=True)
    created_by_id: Mapped[int | None]
    created_at: Mapped[dt.datetime]
    size: Mapped[int]
    md5: Mapped[str]
    sha1: Mapped[str]
    sha256: Mapped[str]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)  # what the uploader said of its source
    manifest: Mapped[dict[str, Any]] = mapped_column(default=dict)
    kind: Mapped[str]
    entrypoint: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="uploaded")
    requested_version: Mapped[str | None]
    requested_range: Mapped[str | None]
    runtime_version: Mapped[str | None]
    runtime_path: Mapped[str | None]
    match_reason: Mapped[str | None]
    environment_key: Mapped[str | None] = mapped_column(index=True)
    r_version: Mapped[str | None]
    r_path: Mapped[str | None]
    quarto_version: Mapped[str | None]
    quarto_path: Mapped[str | None]
    managed: Mapped[bool | None]
    built_at: Mapped[dt.datetime | None]

    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012


class Repository(Table):
    """The directory of a Git repository that an item comes from.

    ``commit`` and ``tree`` are what was last made into a bundle, or found to be the same. ``poll_error`` is why the
    repository could not be read the last time, ``deploy_error`` why what was read did not become the live version.
    ``next_poll`` None: it is not looked at by itself.
    """

    __tablename__ = "repositories"

    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    url: Mapped[str]
    branch: Mapped[str]
    directory: Mapped[str]
    polling: Mapped[bool]
    commit: Mapped[str | None]
    tree: Mapped[str | None]
    poll_error: Mapped[str | None] = mapped_column(sa.Text)
    deploy_error: Mapped[str | None] = mapped_column(sa.Text)
    fetched_at: Mapped[dt.datetime | None]
    next_poll: Mapped[dt.datetime | None] = mapped_column(index=True)
    changed_by_id: Mapped[int | None]  # no foreign key: it was set, whoever goes later
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class Permission(Table):
    """Given to one person or to one group. ``role`` is ``viewer`` or ``owner`` (a collaborator, in the wire's word)."""

    __tablename__ = "permissions"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]

    __table_args__ = (sa.UniqueConstraint("item_id", "user_id"), sa.UniqueConstraint("item_id", "group_id"))


class Variable(Table):
    """``value`` is encrypted; it is never given back, only handed to the item's own processes."""

    __tablename__ = "variables"

    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(sa.Text)


class Job(Table):
    """The record of one process: a running app, a build, a render."""

    __tablename__ = "jobs"

    key: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(unique=True, autoincrement=False)  # counted by the server, for the wire
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), index=True)
    bundle_id: Mapped[int | None]
    tag: Mapped[str]
    pid: Mapped[int | None]
    log: Mapped[str | None]  # path under the data folder
    queued_at: Mapped[dt.datetime]
    started_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    exit_code: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(sa.Text)
    variant_id: Mapped[int | None]  # of a document's rendering
    skip_reason: Mapped[str | None]  # why it was not started at all
    due_at: Mapped[dt.datetime | None]  # of a scheduled run: the moment its schedule named


class Rendering(Table):
    """One kept rendering of a document. ``path`` is its folder under the data folder.

    ``shown``: visitors got it once, or it was mailed to them. What never was is a draft, for those who may change the
    item.
    """

    __tablename__ = "renderings"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), index=True)
    bundle_id: Mapped[int]
    job_key: Mapped[str | None]
    path: Mapped[str]
    primary: Mapped[str]  # file name to show
    rendered_at: Mapped[dt.datetime]
    duration_ms: Mapped[int]
    active: Mapped[bool] = mapped_column(default=False)
    shown: Mapped[bool] = mapped_column(default=False)
    variant_id: Mapped[int | None] = mapped_column(index=True)  # None: the item's default variant


class Visit(Table):
    """One opened page, or one call with a key. ``user_id`` is None for somebody unknown.

    ``bundle_id`` is set for static content and documents (with ``rendering_id``), which the server itself shows; None
    for interactive content.
    """

    __tablename__ = "visits"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"))
    user_id: Mapped[int | None]  # no foreign key: a visit happened, whoever goes later
    at: Mapped[dt.datetime]
    path: Mapped[str]
    agent: Mapped[str]
    bundle_id: Mapped[int | None]
    rendering_id: Mapped[int | None]

    __table_args__ = (sa.Index("visits_by_item", "item_id", "at"), sa.Index("visits_by_time", "at"))


class UsageSession(Table):
    """One visitor's WebSocket to interactive content, from its beginning to its end. ``key`` is the gateway's.

    ``seen_at`` is when the gateway last said that it goes on; ``ended_at`` None: it does.
    """

    __tablename__ = "usage_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"))
    user_id: Mapped[int | None]  # no foreign key, as with visits
    began_at: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]

    __table_args__ = (
        sa.Index("usage_sessions_by_item", "item_id", "began_at"),
        sa.Index("usage_sessions_by_time", "began_at"),
        sa.Index("usage_sessions_open", "ended_at", "seen_at"),
    )


class JobSample(Table):
    """What one process and all it started took at one moment. ``cpu`` is in cores, since the sample before."""

    __tablename__ = "job_samples"

    job_key: Mapped[str] = mapped_column(sa.ForeignKey("jobs.key", ondelete="CASCADE"), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    cpu: Mapped[float]
    memory_bytes: Mapped[int]
    processes: Mapped[int]
    connections: Mapped[int]

    __table_args__ = (sa.Index("job_samples_by_time", "at"),)


class Notice(Table):
    """A text administrators wrote for everybody, by what it is: ``documentation``."""

    __tablename__ = "notices"

    name: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.Text)
    updated_at: Mapped[dt.datetime]


class Tag(Table):
    """A word to find content by. One without a parent is a category: content cannot have it itself."""

    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tags.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class ItemTag(Table):
    __tablename__ = "item_tags"

    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(sa.ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True)


class Bookmark(Table):
    __tablename__ = "bookmarks"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, index=True)
    created_at: Mapped[dt.datetime]


class Thumbnail(Table):
    __tablename__ = "thumbnails"

    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    media_type: Mapped[str]
    image: Mapped[bytes]
    updated_at: Mapped[dt.datetime]


class AuditEntry(Table):
    """One change somebody made, written in the transaction that made it.

    ``subject`` is the guid of the item, person or group it was made to. ``changes`` lists what each row was and became.
    """

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(index=True)
    user_id: Mapped[int | None] = mapped_column(index=True)  # no foreign key: it happened, whoever goes later
    user_guid: Mapped[str | None]
    user_description: Mapped[str]
    action: Mapped[str]
    description: Mapped[str] = mapped_column(sa.Text)
    subject: Mapped[str | None] = mapped_column(index=True)
    changes: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ImageEnvironment(Table):
    """An execution environment as clients record them. Rostra runs everything in place, so these are records only."""

    __tablename__ = "image_environments"

    id: Mapped[int] = mapped_column(primary_key=True)
    guid: Mapped[str] = mapped_column(unique=True)
    cluster_name: Mapped[str]
    name: Mapped[str]
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]

    __table_args__ = (sa.UniqueConstraint("cluster_name", "name"),)


class Integration(Table):
    """``secrets`` is the part of the configuration that is never given back, encrypted.

    ``permissions`` name who may give it to content, by ``user_guid`` or ``group_guid``; none: everybody who publishes.
    """

    __tablename__ = "integrations"

    id: Mapped[int] = mapped_column(primary_key=True)
    guid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str]
    template: Mapped[str]
    auth_type: Mapped[str]
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    secrets: Mapped[str | None] = mapped_column(sa.Text)
    permissions: Mapped[list[Any]] = mapped_column(sa.JSON, default=list)
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class Association(Table):
    __tablename__ = "associations"

    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    integration_id: Mapped[int] = mapped_column(
        sa.ForeignKey("integrations.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[dt.datetime]


class OAuthSession(Table):
    """That a person signed in to the provider of an integration. ``tokens`` is encrypted: access and refresh token."""

    __tablename__ = "oauth_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    guid: Mapped[str] = mapped_column(unique=True)
    integration_id: Mapped[int] = mapped_column(sa.ForeignKey("integrations.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    tokens: Mapped[str] = mapped_column(sa.Text)
    has_refresh: Mapped[bool]
    expires_at: Mapped[dt.datetime | None]  # of the access token
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]

    __table_args__ = (sa.UniqueConstraint("integration_id", "user_id"),)


class CheckRun(Table):
    """One run of the system's checks. ``results`` is empty until it is over."""

    __tablename__ = "check_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]  # requested, running, done
    hostname: Mapped[str]
    started_at: Mapped[dt.datetime]
    results: Mapped[dict[str, Any]] = mapped_column(default=dict)
