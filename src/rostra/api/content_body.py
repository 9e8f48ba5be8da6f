"""What a client may send of an item, as the API's description tells it; `rostra.content.fields` checks it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from rostra.content.access import Access
from rostra.content.limits import LONGEST_TIMEOUT
from rostra.wire import choice, number, text

LARGEST = 2**63 - 1
_Timeout = Annotated[Any, number(0, LONGEST_TIMEOUT)]
_Bytes = Annotated[Any, number(0, LARGEST)]
_Cores = Annotated[Any, number(0, 1e6, whole=False)]
_Kept = Annotated[Any, text(most=255, null=True)]
_Switch = bool | None
_TITLE = {
    "anyOf": [
        {"type": "string", "minLength": 3, "maxLength": 1024},
        {"const": ""},
        {"type": "null"},
    ]
}


class NewContentBody(TypedDict, total=False):
    """Without a name, or with an empty one, it gets one. Null is the server's default.

    What cannot be set by hand may be sent as well, as by clients that send a whole object back; it is left out.
    """

    name: Annotated[Any, text(pattern="^([A-Za-z0-9._-]{3,80})?$", null=True)]
    title: Annotated[Any, WithJsonSchema(_TITLE)]
    description: Annotated[Any, text(most=4096, null=True)]
    access_type: Annotated[Any, choice(Access)]
    content_category: Annotated[Any, text(most=64, null=True)]
    locked: bool
    locked_message: Annotated[Any, text(most=1024, null=True)]
    run_as: _Kept
    connection_timeout: _Timeout
    read_timeout: _Timeout
    init_timeout: _Timeout
    idle_timeout: _Timeout
    min_processes: Annotated[Any, number(0, LARGEST)]
    max_processes: Annotated[Any, number(1, LARGEST)]
    max_conns_per_process: Annotated[Any, number(1, LARGEST)]
    load_factor: Annotated[Any, number(0, 1, whole=False)]
    memory_request: _Bytes
    memory_limit: _Bytes
    cpu_request: _Cores
    cpu_limit: _Cores
    amd_gpu_limit: Annotated[Any, number(0, LARGEST)]
    nvidia_gpu_limit: Annotated[Any, number(0, LARGEST)]
    service_account_name: _Kept
    default_image_name: _Kept
    default_environment_guid: _Kept
    default_py_environment_management: _Switch
    default_r_environment_management: _Switch
    run_as_current_user: _Switch
    extension: _Switch
    draft_marker_enabled: _Switch
    metrics_collection_enabled: _Switch
    notify_on_share: _Switch
    otel_enabled: _Switch


class ContentBody(NewContentBody, total=False):
    """What is left out stays as it is; an empty name leaves the name alone. ``owner_guid`` gives it to somebody."""

    owner_guid: str | None
