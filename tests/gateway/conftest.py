"""Makes assertions in the contracts say what they compared."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "gateway.contract",
    "gateway.contract_away",
    "gateway.contract_limits",
    "gateway.contract_messages",
    "gateway.contract_processes",
    "gateway.contract_sockets",
)
