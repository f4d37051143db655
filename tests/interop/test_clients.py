"""Every client of the table does every step against the real daemon, over http and over https."""

from __future__ import annotations

import pytest

from tests.interop.clients_table import CLIENTS, Client
from tests.interop.conftest import RunClient
from tests.interop.steps import STEPS, Step

_CLIENTS = [
    pytest.param(
        client, id=client.name, marks=[pytest.mark.interop, *([pytest.mark.interop_more] if client.more else [])]
    )
    for client in CLIENTS
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("client", _CLIENTS)
def test_step(client: Client, scheme: str, step: Step, run_client: RunClient) -> None:
    """The client does the step, or its driver says what the client lacks for it."""
    outcome = run_client(client, scheme).outcome(step.name)
    where = f"{client.name} over {scheme}, {step.name} ({step.shows})"
    assert outcome.result in {"passed", "n/a"}, f"{where}:\n{outcome.why}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("client", _CLIENTS)
def test_driver_knows_the_steps(client: Client, scheme: str, run_client: RunClient) -> None:
    """The driver says something about each step, knows no other, and names the client's version."""
    run = run_client(client, scheme)
    assert run.ended_badly == ""
    assert list(run.outcomes) == [step.name for step in STEPS]
    assert run.version
