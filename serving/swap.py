"""Taking up a new release while serving: checked elsewhere first, then one reference is replaced.

A thread of each worker looks at the pointer. Whatever goes wrong with what it finds there, the
release that answers goes on answering. At a start with a pointer that leads nowhere, the release that
last answered is taken.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from features.durable import sync
from features.errors import ReleaseError, TierwiseError
from serving.application import Application, Limits
from serving.check import check_in_child
from serving.current import Current, load_checked, locate, read_current, with_store
from serving.predictor import Record

logger = logging.getLogger("tierwise.serving")

POLL_SECONDS = 0.5
AGAIN_SECONDS = 30.0
LAST_GOOD = Path("serving") / "last_good.json"


class ReleaseWatch:
    """Keeps an application on the promoted release.

    Parameters
    ----------
    application : Application
        What answers.
    state : Path
        The state folder.
    limits : Limits
        Of one request.
    record : callable, optional
        The prediction log.
    check : callable
        Loads a release where nothing is lost; raises ReleaseError.
    """

    def __init__(
        self,
        application: Application,
        state: Path,
        limits: Limits,
        record: Record | None = None,
        check: Callable[[Path], None] = check_in_child,
    ) -> None:
        self._application = application
        self._state = state
        self._limits = limits
        self._record = record
        self._check = check
        self._served: Current | None = None
        self._refused: tuple[object, float] = (None, 0.0)
        self._checked: set[str] = set()  # the digest covers every byte, so once is enough
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Take up the promoted release, or else the last good one, or say why there is none."""
        try:
            self._take_up(self._read())
        except TierwiseError as error:
            logger.error("%s; %s", error.found, error.do)
            if not self._take_last_good():
                self._application.withhold(error.found, error.do)
        self._thread = threading.Thread(target=self._run, name="release-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def look(self) -> None:
        """Take up what the pointer names if it is another release or another store."""
        try:
            found = self._read()
        except TierwiseError as error:
            self._tell_once(error.found, error)
            return
        if found == self._served or self._is_known_bad(found):
            return
        try:
            self._take_up(found)
        except TierwiseError as error:
            self._refuse(found, error)
        except Exception as error:
            logger.exception("taking up release %s failed", found.digest[:12])
            self._refuse(found, ReleaseError(str(error), "look above"))

    def _run(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            self.look()

    def _read(self) -> Current:
        """Read the pointer; its number never goes back below one that has been served."""
        found = read_current(self._state)
        highest = max(self._last_good()[1], 0 if self._served is None else self._served.number)
        if found.number < highest:
            raise ReleaseError(
                f"the pointer has number {found.number}; expected {highest} or above",
                "an old pointer was put back: promote or roll back again",
            )
        return found

    def _take_up(self, found: Current) -> None:
        before = self._served
        if before is not None and before.digest == found.digest:
            release = self._application.release()
        else:
            if found.digest not in self._checked:
                self._check(found.release_folder)
            release = load_checked(found)
            self._checked.add(found.digest)
        self._application.serve(with_store(release, found, self._record), self._limits)
        self._served = found
        self._remember(found)
        logger.info("serving release %s, pointer %d", found.digest[:12], found.number)

    def _refuse(self, found: Current, error: TierwiseError) -> None:
        self._refused = (found, monotonic() + AGAIN_SECONDS)
        self._application.metrics.count_refused_release()
        logger.error("release %s is refused: %s; %s", found.digest[:12], error.found, error.do)

    def _is_known_bad(self, found: Current) -> bool:
        return found == self._refused[0] and monotonic() < self._refused[1]

    def _tell_once(self, reason: str, error: TierwiseError) -> None:
        if self._refused[0] != reason:
            self._refused = (reason, 0.0)
            self._application.metrics.count_refused_release()
            logger.error("%s; %s", error.found, error.do)

    def _take_last_good(self) -> bool:
        digest, number = self._last_good()
        if not digest:
            return False
        try:
            self._take_up(locate(self._state, digest, number))
        except TierwiseError as error:
            logger.error("the last good release is refused: %s; %s", error.found, error.do)
            return False
        return True

    def _last_good(self) -> tuple[str, int]:
        try:
            told = json.loads((self._state / LAST_GOOD).read_text(encoding="ascii"))
            return str(told["digest"]), int(told["number"])
        except (OSError, ValueError, LookupError, TypeError):
            return "", 0

    def _remember(self, found: Current) -> None:
        """Keep which release answers; that it cannot be kept is no reason not to answer."""
        path = self._state / LAST_GOOD
        told = json.dumps({"digest": found.digest, "number": found.number})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{path.name}.{os.getpid()}")
            aside.write_text(told + "\n", encoding="ascii")
            sync(aside)
            aside.replace(path)
        except OSError as error:
            logger.error("%s cannot be written: %s", path, error)
