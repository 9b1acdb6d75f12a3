"""Webhooks with something wrong in them."""

import json
import random

from billing.sandbox import sign


def mutated(payload: str, chance: random.Random) -> tuple[bytes, str]:
    """Return a webhook with something wrong in it, signed or not."""
    event = json.loads(payload)
    kind = chance.randrange(6)
    if kind == 0:
        text = "".join(chance.choice(payload) for _ in range(chance.randrange(200)))
    elif kind == 1:
        place = chance.randrange(len(payload))
        text = payload[:place] + chance.choice('{}[]",:0\u00e9') + payload[place + 1 :]
    elif kind == 2:
        event.pop(chance.choice(list(event)))
        text = json.dumps(event)
    elif kind == 3:
        event[chance.choice(list(event))] = chance.choice([None, 7, -1, [], {}, "x" * 500, True, 1e99])
        text = json.dumps(event)
    elif kind == 4:
        event["data"]["object"]["id"] = chance.choice([None, "", "cs_\x00", "x" * 300, {"a": 1}])
        text = json.dumps(event)
    else:
        text = payload[: chance.randrange(len(payload))]
    signature = (
        sign(text) if chance.random() < 0.8 else chance.choice(["", "t=x,v1=y", "v1=,t=", "=,=", "t=1"])
    )
    return text.encode("utf-8", "replace"), signature
