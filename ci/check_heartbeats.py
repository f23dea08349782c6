"""Checks the figures in the last line of the heartbeats example, read from standard input."""

import json
import sys

try:
    figures = json.loads(sys.stdin.read().splitlines()[-1])
except (IndexError, ValueError):
    print("error: the last line of standard input is no JSON", file=sys.stderr)
    sys.exit(2)
wrong = [
    f"{what}: {figures}"
    for what, holds in {
        "beats were sent": figures["beats_sent"] > 0,
        "every beat was answered": figures["beats_answered"] == figures["beats_sent"],
        "nothing fired early": figures["early"] == 0,
        "idle timeouts fired where expected": figures["idle_fired"] == figures["idle_expected"] > 0,
        "no reply timeout fired": figures["reply_timeouts_fired"] == 0,
        "more than one shard is in use": figures["shards"] > 1,
    }.items()
    if not holds
]
sys.exit("\n".join(f"not so: {line}" for line in wrong) or 0)
