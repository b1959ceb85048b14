"""Rules about time: who gave up before whom (RFC 3261 §17.1.2, the timers of the chain must fall from hop to hop)."""

from collections.abc import Iterator
from typing import Final

from lab.evidence.doctor.sign import Sign, named, sign
from lab.evidence.doctor.view import View

GIVEN_UP: Final = (408, 480, 500, 503, 504)


def timer_order(view: View) -> Iterator[Sign]:
    """A final response of somebody who gave up, and after it the Diameter answer that would have been good."""
    for attempt in view.failed:
        decider = attempt.decider
        if decider is None or decider.status not in GIVEN_UP:
            continue
        at_s = decider.frame.time_s
        late = [h for h in attempt.hops if h.answer and h.request.frame.time_s < at_s < h.answer.frame.time_s]
        good = [hop for hop in late if 2000 <= hop.code < 3000]
        if good:
            last = good[-1]
            assert last.answer is not None
            took = last.answer.frame.time_s - last.request.frame.time_s
            waited = at_s - attempt.rounds[-1].request.frame.time_s
            text = (
                f"{view.name(decider.frame.source)} gives up with {decider.status} {waited:.2f} s after the REGISTER; "
                f"the {named(last, answer=True)} came {last.answer.frame.time_s - at_s:.2f} s later, after {took:.2f} s"
            )
            yield sign(text, (*(n for hop in good for n in hop.frames), decider.frame.number), attempt)
