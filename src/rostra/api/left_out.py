"""What the protocol knows and this server does not do, with what a client sees instead.

The page `docs/reference/left-out.md` is made from this table, and a test sends every request in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """``told`` is the part of a JSON answer that is meant; empty with status 404: plain text, so "no such route"."""

    what: str
    why: str
    path: str
    method: str = "GET"
    body: Any = None
    status: int = 200
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def seen(self) -> str:
        """What a client sees, in a few words."""
        if self.told:
            facts = ", ".join(f"`{name}`: {_json(value)}" for name, value in _flat(self.told))
            return f"{self.status}, {facts}" if self.status != 200 else facts
        return "404, plain text, as for every route there is not" if self.status == 404 else str(self.status)


def _flat(told: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in told.items():
        whole = f"{before}{name}"
        found += _flat(value, f"{whole}.") if isinstance(value, dict) else [(whole, value)]
    return found


def _json(value: Any) -> str:
    return f"`{json.dumps(value)}`"


_SETTINGS = "server_settings"
LEFT_OUT = (
    LeftOut(
        what="Licences",
        why="there is nothing to buy; every flag that would forbid something allows it",
        path=_SETTINGS,
        told={"license": {"status": "activated", "allow-apis": True, "has-trial": False}},
    ),
    LeftOut(
        what="Warnings of a licence's end",
        why="there is none",
        path=_SETTINGS,
        told={"license_expiration_ui_warning": False, "end_of_support_ui_warning": False},
    ),
    LeftOut(
        what="TensorFlow models",
        why="serve a model from an API of your own",
        path="v1/server_settings/tensorflow",
        told={"installations": []},
    ),
    LeftOut(
        what="Node.js content",
        why="this server is for Python, and for R beside it",
        path="v1/server_settings/nodejs",
        told={"enabled": False, "installations": []},
    ),
    LeftOut(
        what="The vendor's metrics agent",
        why="any collector reads `/metrics` in Prometheus' form",
        path="v1/system/chronicle",
        told={"enabled": False, "ready": False},
    ),
    LeftOut(
        what="A gallery of the vendor's examples",
        why="the samples come with the sources",
        path="v1/examples",
        status=404,
    ),
    LeftOut(
        what="System information and system metrics as routes of their own",
        why="`v1/server_settings`, `v1/system/hosts`, `v1/system/storage` and, for any collector, `/metrics` tell it",
        path="v1/system/info",
        status=404,
    ),
    LeftOut(
        what="Jump-start examples, labs, what's new",
        why="they advertise the vendor's product",
        path=_SETTINGS,
        told={"jump_start_enabled": False, "labs_enabled": False, "whats_new_enabled": False},
    ),
    LeftOut(
        what="Tableau extensions",
        why="they need a paid product on the other side",
        path=_SETTINGS,
        told={"tableau_integration_enabled": False},
    ),
    LeftOut(
        what="Content that runs as the visitor's own account",
        why="visitors have no account on the machine",
        path="server_settings/applications",
        told={"run_as_current_user": False},
    ),
    LeftOut(
        what="GPU limits",
        why="a content item's values are kept, nothing is reserved",
        path="server_settings/scheduler",
        told={"max_amd_gpu_limit": 0, "max_nvidia_gpu_limit": 0},
    ),
    LeftOut(
        what="Requests for more rights by mail",
        why="ask an administrator; administrators change roles",
        path=_SETTINGS,
        told={"permission_request": False, "viewers_can_request_privileges": False},
    ),
    LeftOut(
        what="Service accounts of a cluster",
        why="they belong to the vendor's off-host mode",
        path="v1/system/offhost/service-accounts",
        status=404,
    ),
    LeftOut(
        what="Credentials of AWS",
        why="they are had by the vendor's own protocol; an integration of this template is kept and given to content, "
        "and an exchange through it is refused with code 250",
        path="v1/oauth/templates/aws",
        told={"description": "A record of how AWS is reached; this server asks it for nothing."},
    ),
    LeftOut(
        what="Publishing clients that sign in by OAuth (`/.well-known/oauth-authorization-server`, its clients)",
        why="clients that find no such server offer a key, or a token that is confirmed in a browser, instead",
        path="v1/oauth/clients",
        status=404,
    ),
    LeftOut(
        what="The experimental routes of 2021 (`v1/experimental/content`, `bundles`, `tasks`)",
        why="the same routes without `experimental` took their place years ago",
        path="v1/experimental/content",
        status=404,
    ),
    LeftOut(
        what="Unversioned routes whose work has versioned ones (`users`, `groups`, the list `tasks`, "
        "`tasks/{id}/kill`, `applications/{guid}/terminate`)",
        why="the R clients have asked `v1` first since 2021 and fall back only to the unversioned routes this server "
        "does serve; ending a task is `DELETE v1/queue/{id}`, ending processes `POST v1/content/{guid}/restart`",
        path="users",
        status=404,
    ),
    LeftOut(
        what="Bundles the server fetches from an address itself",
        why="a server that opens addresses it is told could be made to reach into its own network, and no client sends "
        "one ([decision 23](../decisions/0023-bundles-are-sent.md)); download and upload",
        method="POST",
        path="v1/content/{guid}/bundles",
        body={"url": "https://example.org/bundle.tar.gz"},
        status=400,
        told={"code": 135},
    ),
)
