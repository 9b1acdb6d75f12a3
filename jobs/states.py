"""The states of a job and the only moves between them."""

from collections.abc import Mapping

from jobs.models import State

MOVES: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELED}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.STOPPING, State.QUEUED}),
    State.STOPPING: frozenset({State.STOPPED, State.FAILED, State.SUCCEEDED}),
    State.STOPPED: frozenset({State.QUEUED}),
    State.FAILED: frozenset({State.QUEUED}),
    State.SUCCEEDED: frozenset(),
    State.CANCELED: frozenset(),
}

ENDED_STATES = (State.SUCCEEDED, State.STOPPED, State.FAILED, State.CANCELED)


def may_move(source: str, target: str) -> bool:
    """Whether a job may go from one state straight to the other."""
    return State(target) in MOVES[State(source)]
