"""The embedded gateway passes the contract of data planes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from gateway import contract, contract_away, contract_limits, contract_messages, contract_processes, contract_sockets
from support.gateways import ThreadGateway


@pytest.fixture
def start_gateway() -> Callable[..., ThreadGateway]:
    return ThreadGateway


@pytest.fixture(scope="module")
def marked() -> Iterator[contract_sockets.Marked]:
    with contract_sockets.marked_world(ThreadGateway) as world:
        yield world


class TestWhere(contract.WhereContract):
    pass


class TestProcess(contract_processes.ProcessContract):
    pass


class TestAway(contract_away.AwayContract):
    pass


class TestLimits(contract_limits.LimitsContract):
    pass


class TestMessages(contract_messages.MessagesContract):
    pass


class TestEarlyEnd(contract_messages.EarlyEndContract):
    pass


class TestPrefix(contract_messages.PrefixContract):
    pass


class TestWebSocket(contract_sockets.WebSocketContract):
    pass


class TestRevoked(contract_sockets.RevokedContract):
    pass


class TestSilentWebSocket(contract_sockets.SilentWebSocketContract):
    pass


class TestSmuggling(contract_sockets.SmugglingContract):
    pass
