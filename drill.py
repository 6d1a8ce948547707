"""A year in which everything planned goes wrong, played through the real parts (`make drill`).

The simulated shop uploads its orders; the service answers a trickle of requests all the while;
monitoring looks, decides, and what it decides is done: asked for again, recalibrated, retrained,
promoted. At the end stands what happened, when it was seen, what was done, and what it cost. The
exit code is 0 only where every incident got its right act and no request failed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from demo import EXIT_INTERRUPTED, StepFailedError, end_on_sigterm
from drills.dashboard import dashboard, find_browser, take_picture
from drills.play import N_CUSTOMERS, Drill
from drills.script import END, MADE_AT, START, YEAR, plan_looks
from drills.told import draw_timeline, holds, timeline_lines, write_summary
from features.errors import InputError

FOLDER = Path("state/drill")
EXIT_WANTS_HUMAN = 20


def play(folder: Path, n_customers: int) -> int:
    """Play the whole drill and return its exit code."""
    begun = time.monotonic()
    drill = Drill(folder, YEAR, START, MADE_AT, END, n_customers)
    print(f"a shop of {n_customers:,} customers, and its first release", flush=True)
    drill.prepare()
    looks = plan_looks(YEAR, MADE_AT, END)
    with drill.under_traffic() as traffic:
        for number, day in enumerate(looks, start=1):
            look = drill.look(day, traffic)
            told = "; ".join(look.happened) or "nothing happened"
            print(
                f"[{number}/{len(looks)}] {time.monotonic() - begun:4.0f} s  {day}: {told} -> "
                f"{look.act} {look.outcome}",
                flush=True,
            )
    draw(drill)
    print("\n".join(timeline_lines(drill.played)))
    tally = drill.played.tally
    print(
        f"\n{tally.answered} requests answered by {len(tally.releases)} releases, {tally.failed} "
        f"failed, the slowest in {tally.slowest_seconds:.2f} s; {time.monotonic() - begun:.0f} s "
        f"together\nsummary and pictures: {folder}"
    )
    return 0 if holds(drill.played) else EXIT_WANTS_HUMAN


def draw(drill: Drill) -> None:
    """Write the summary, the picture of the year and that of the dashboard."""
    write_summary(drill.played, drill.folder / "summary.json")
    draw_timeline(drill.played, drill.made_at, drill.end, drill.folder / "timeline.png")
    drill.draw_dashboard()
    browser = find_browser()
    if browser is None:
        print("no chromium: the picture of the year stands alone")
        return
    workspace = drill.state / "monitoring" / "workspace"
    with dashboard(workspace, drill.folder / "dashboard.log") as url:
        if not take_picture(browser, url, drill.folder / "dashboard.png"):
            print("chromium gave no picture: the picture of the year stands alone")


def main(arguments: Sequence[str]) -> int:
    """Read the arguments and play the drill; everything it started is stopped in any case."""
    parser = argparse.ArgumentParser(
        prog="drill.py", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="replaced by the drill's own")
    parser.add_argument("--customers", type=int, default=N_CUSTOMERS, help="of the shop")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, end_on_sigterm)
    try:
        return play(given.folder, given.customers)
    except InputError as error:
        print(f"drill: {error.found}\n  do: {error.do}", file=sys.stderr)
        return error.exit_code
    except StepFailedError as error:
        print(f"drill: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("drill: interrupted; what it had started is stopped", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
