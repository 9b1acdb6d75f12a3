"""What RQ carries, and what it cannot be made to carry."""

import json
import pickle
import zlib
from pathlib import Path

import pytest
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.serializers import JSONSerializer

from jobs import tokens
from jobs.redis_client import hints
from jobs.rq import FUNCTION, TokenJob

pytestmark = pytest.mark.django_db


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def fetch(name: str = "token") -> TokenJob:
    return TokenJob.fetch(name, connection=hints(), serializer=JSONSerializer)


def put(fields: dict, name: str = "token") -> None:
    hints().hset(f"rq:job:{name}", mapping=fields)


def packed(*call: object) -> bytes:
    return zlib.compress(json.dumps(call).encode())


def test_a_token_comes_through():
    tokens.send("train")

    (name,) = tokens.token_queue("train").job_ids
    token = fetch(name)

    assert (token.func_name, token.args, token.origin) == (FUNCTION, ["train"], "train")
    assert token.timeout == -1


def test_a_token_runs_nothing():
    put({"data": packed(FUNCTION, None, ["light"], {})})

    with pytest.raises(RuntimeError):
        fetch().perform()


@pytest.mark.parametrize(
    "data",
    [
        packed("os.system", None, ["true"], {}),
        packed(FUNCTION, None, ["elsewhere"], {}),
        packed(FUNCTION, "instance", ["train"], {}),
        packed(FUNCTION, None, ["train"], {"more": 1}),
        packed(FUNCTION, None, ["train", "more"], {}),
        b"not packed at all",
        b"",
        zlib.compress(b"0" * 10_000_000),
    ],
)
def test_anything_else_is_passed_over(data):
    put({"data": data})

    with pytest.raises(NoSuchJobError):
        fetch()


@pytest.mark.parametrize("pack", [zlib.compress, bytes])
def test_pickles_are_not_opened(tmp_path, pack):
    path = tmp_path / "owned"
    bomb = pickle.dumps(Bomb(path))
    put({"data": pack(bomb)})
    with pytest.raises(NoSuchJobError):
        fetch()

    put({"data": packed(FUNCTION, None, ["train"], {}), "meta": bomb, "result": bomb}, name="other")
    fetch("other")

    assert not path.exists()


def test_callbacks_webhooks_and_retries_are_dropped():
    put(
        {
            "data": packed(FUNCTION, None, ["train"], {}),
            "success_callback_name": "os.abort",
            "failure_callback_name": "os.abort",
            "stopped_callback_name": "os.abort",
            "webhooks": json.dumps([{"url": "http://127.0.0.1/", "job_status": "finished"}]),
            "retries_left": "9",
            "repeats_left": "9",
            "dependency_ids": json.dumps(["other"]),
        }
    )

    token = fetch()

    assert token.success_callback is token.failure_callback is token.stopped_callback is None
    assert not token.webhooks
    assert not token.should_retry
    assert token.repeats_left is None
    assert not token.fetch_dependencies()


def test_what_is_not_even_a_hash():
    hints().set("rq:job:token", "a string")

    with pytest.raises(NoSuchJobError):
        fetch()


def test_unreadable_fields():
    put({"data": packed(FUNCTION, None, ["train"], {}), "timeout": "soon"})

    with pytest.raises(NoSuchJobError):
        fetch()


def test_a_worker_passes_over_hostile_entries_and_takes_the_token_behind_them():
    for name, data in {"one": packed("os.abort", None, [], {}), "two": pickle.dumps("junk")}.items():
        put({"data": data}, name=name)
        hints().rpush("rq:queue:train", name)
    hints().rpush("rq:queue:train", "missing")
    tokens.send("train")

    token, _queue = Queue.dequeue_any(
        [tokens.token_queue("train")],
        timeout=None,
        connection=hints(),
        job_class=TokenJob,
        serializer=JSONSerializer,
    )

    assert token.args == ["train"]


def test_send_without_redis(without_redis):
    tokens.send("train")

    assert tokens.top_up("train", 3) == 0


def test_top_up_counts_what_is_there():
    tokens.send("train")

    assert tokens.top_up("train", 3) == 2
    assert tokens.top_up("train", 3) == 0


def test_a_token_follows_a_job_while_rows_wait(submit):
    submit("count")
    submit("count")

    tokens.send_if_needed("train")
    tokens.send_if_needed("train")
    tokens.send_if_needed("generate")

    assert tokens.token_queue("train").count == 1
    assert tokens.token_queue("generate").count == 0
