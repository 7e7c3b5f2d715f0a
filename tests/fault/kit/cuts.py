"""Gateways that are cut off from what they need, in every shape."""

import time

from lib.processes import slow_factor


def cut_gateways_off(run, bars, place: str, seconds: float) -> int:
    """The first of four stays; the others are cut off from `place` one way, the other, and both, for so long. When
    that ended, in monotonic nanoseconds."""
    apart = run.gateways[1:]
    run.network.cut("gateway-2", place)
    run.network.cut(place, "gateway-3")
    run.network.cut("gateway-4", place)
    run.network.cut(place, "gateway-4")
    bars.at_most("noticed by every gateway", run.linked(False, apart), 6 * slow_factor(), " s")
    bars.exactly("not ready meanwhile, where nothing was cut", run.ready_for(seconds, run.gateways[:1]), 0)
    run.network.heal()
    healed = time.monotonic_ns()
    bars.at_most("ready again everywhere", run.linked(True), 10 * slow_factor(), " s")
    return healed
