"""Checks the figures in the last line of the soak example, read from standard input."""

import json
import sys

try:
    figures = json.loads(sys.stdin.read().splitlines()[-1])
except (IndexError, ValueError):
    print("error: the last line of standard input is no JSON", file=sys.stderr)
    sys.exit(2)
start, end = figures["start"], figures["end"]
sums = [figures[key] for key in ("connected", "accepted", "left", "ended", "accounted_for")]
wrong = [
    f"{what}: {figures}"
    for what, holds in {
        "there were as many connections at a time": figures["most_at_a_time"]
        >= 0.9 * figures["connections"],
        "connections came and went": sums[0] > figures["connections"],
        "both sides account for every connection": len(set(sums)) == 1,
        "each kind of peer was there": all(figures["lives"].values()),
        "the lives add up": sum(figures["lives"].values()) + figures["held_up"] == sums[0],
        "beats were answered": figures["beats_answered"] > 0,
        "nothing was early": figures["early"] == 0,
        "no timer is left": figures["timers_left"] == 0,
        "the listener is the only source left": figures["sources_left"] == 1,
        "no descriptor is left": end["descriptors"] == start["descriptors"],
        "no memory is left": end["heap_blocks"] <= start["heap_blocks"] + 64,
        "there is no complaint": figures["complaints"] == [],
    }.items()
    if not holds
]
sys.exit("\n".join(f"not so: {line}" for line in wrong) or 0)
