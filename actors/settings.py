"""How a Runtime is set up. Each setting has a unit, a default and a reason.

A value comes from, first wins: an argument of `Runtime`, the `Settings` it was given, the environment variable
`MOONWARD_<FIELD>`, the default. Durations are seconds or a `timedelta`, and read back as seconds.
"""

from __future__ import annotations

import difflib
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict

import platformdirs

from moonward.actors import setting_kind as kind
from moonward.actors.errors import SettingsError
from moonward.actors.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

PREFIX: Final = "MOONWARD_"
"""Of the environment variables that are settings."""

OTHER_PREFIXES: Final = ("MOONWARD_SERVE_", "MOONWARD_TEST_")
"""Of environment variables that are ours and no settings: those of servers and of our own tests."""

MEMORY_IDLE_TTL_S: Final = 3 * 3600.0
"""Seconds. The seed system's value: its sessions live in memory only, as these do."""

HOME_FOLDER: Final = "moonward"
"""The data directory in `$ALC_HOME`, for the command line and the servers."""

HOME_JOURNAL: Final = "journal.db"
"""File of the journal in the data directory, which the command line and the servers use unless told otherwise."""

DESCRIPTORS_RESERVED: Final = 64
"""Open files left to the host and the tree itself. Arbitrary; an idle Runtime with a journal uses about 20."""

DESCRIPTORS_PER_SESSION: Final = 3
"""Open files of one live session: two pipe ends and the worker's standard error."""


class SettingsFields(TypedDict, total=False):
    """The fields of `Settings` as they may be given, for type checkers: durations may be a `timedelta`."""

    journal: str
    durability: Literal["strict", "relaxed"]
    data_dir: Path | str | None
    package_paths: Iterable[Path | str]
    idle_ttl: float | timedelta | None
    reap_interval: float | timedelta
    result_ttl: float | timedelta | None
    journal_retention: float | timedelta | None
    hibernate_after: float | timedelta | None
    limits: Limits | Mapping[str, Any]
    max_sessions: int | None
    require_confinement: bool
    worker_reuse: Literal["never", "clean"]
    worker_lives: int
    warm_workers: int
    warm_max_age: float | timedelta | None
    start_timeout: float | timedelta
    restart_intensity: int
    restart_period: float | timedelta
    close_timeout: float | timedelta
    prompt_preview_chars: int
    event_buffer: int
    log_prompts: bool


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a Runtime can be told. Immutable; every value is checked when it is made (`SettingsError`)."""

    journal: str = field(default="memory:", metadata=kind.JOURNAL.field())
    """Where sessions are kept: `memory:` (until the Runtime closes) or `sqlite:///path`. Memory needs no set-up. The
    command line and the servers have another default, `journal.db` in the data directory: what they began should
    outlive them."""
    durability: Literal["strict", "relaxed"] = field(
        default="strict", metadata=kind.one_of("strict", "relaxed").field()
    )
    """`strict`: what was acknowledged survives a power cut. `relaxed`: it survives a killed host, a power cut may
    take back the last commits. Strict, because an accepted answer is never lost."""
    data_dir: Path | None = field(default=None, metadata=kind.OPTIONAL_PATH.field())
    """Directory of `alc.state` and of cards. None: the user's data directory (`$XDG_DATA_HOME/moonward`). The command
    line and the servers take `$ALC_HOME/moonward` where that variable is set."""
    package_paths: tuple[Path, ...] = field(default=(), metadata=kind.PATHS.field())
    """Directories searched for packages, in this order, after those that a start names. In the environment:
    separated by colons. None by default."""

    idle_ttl: float | None = field(default=None, metadata=kind.OPTIONAL_DURATION.field())
    """Seconds without an accepted answer after which a session ends `cancelled`/`expired`; None: never. Default:
    3 hours with a memory journal, as in the seed system; None with a durable one, where waiting costs nothing."""
    reap_interval: float = field(default=60.0, metadata=kind.DURATION.field())
    """Seconds between two looks for idle sessions. The seed system's value."""
    result_ttl: float | None = field(default=3600.0, metadata=kind.OPTIONAL_DURATION.field())
    """Seconds that the result of an ended session stays in memory; None: until the Runtime closes. An hour is
    arbitrary: long past any retry. What a durable journal holds can be read again all the same."""
    journal_retention: float | None = field(default=None, metadata=kind.OPTIONAL_DURATION.field())
    """Seconds that a durable journal keeps an ended session; None: for ever. Nothing is deleted unasked."""
    hibernate_after: float | None = field(default=None, metadata=kind.OPTIONAL_DURATION.field())
    """Seconds a session stays paused before it gives its worker back, to be replayed by the next answer; None:
    never. Off by default: a replay costs the time of the script's own computing."""

    limits: Limits = field(default=Limits(), metadata=kind.LIMITS.field())
    """What one session may use, unless its start says otherwise. In the environment: a JSON object of fields."""
    max_sessions: int | None = field(default=None, metadata=kind.OPTIONAL_POSITIVE.field())
    """Most live sessions held at once. None: as many as the soft limit on open files allows, less 64, at three
    descriptors a session."""
    require_confinement: bool = field(default=False, metadata=kind.TRUTH.field())
    """Refuse to start where the kernel cannot confine workers. Off by default: the Lua sandbox holds without it,
    and many containers lack it; `moonward doctor` says what is there."""
    worker_reuse: Literal["never", "clean"] = field(
        default="never", metadata=kind.one_of("never", "clean").field()
    )
    """`never`: a process for each session. `clean`: a process that ended one session well serves the next with a
    new VM, unless twice `warm_workers` wait already; for trusted code only, hence not the default."""
    worker_lives: int = field(default=100, metadata=kind.POSITIVE.field())
    """Sessions that one process serves at most with `worker_reuse="clean"`. Arbitrary: enough that forks do not
    count, few enough that what a process may lose of its memory each time does not add up."""
    warm_workers: int = field(default=2, metadata=kind.COUNT.field())
    """Workers kept ready, so that a start does not wait for a fork. Two: one in use while the next is made."""
    warm_max_age: float | None = field(default=None, metadata=kind.OPTIONAL_POSITIVE_DURATION.field())
    """Seconds after which a worker that is kept ready is replaced by a new one; None: never. None, because a worker
    that waits does nothing."""
    start_timeout: float = field(default=10.0, metadata=kind.DURATION.field())
    """Seconds a worker may take to say that it is ready. Arbitrary; a start takes milliseconds, a machine that is
    swapping takes seconds."""

    restart_intensity: int = field(default=3, metadata=kind.COUNT.field())
    """Lost workers of one session within `restart_period` that are replaced; one more ends it `failed`/`crash`.
    Arbitrary: enough for a machine's bad minute, too few to hide a script that kills its worker."""
    restart_period: float = field(default=60.0, metadata=kind.DURATION.field())
    """Seconds in which `restart_intensity` counts. Arbitrary, as above."""
    close_timeout: float = field(default=5.0, metadata=kind.DURATION.field())
    """Seconds that `close()` waits for an orderly end before it kills. Erlang's default for a worker."""

    prompt_preview_chars: int = field(default=200, metadata=kind.POSITIVE.field())
    """Characters of a prompt that the pending filter `preview` shows. The seed system's value."""
    event_buffer: int = field(default=1000, metadata=kind.POSITIVE.field())
    """Events kept for a subscriber that is slower than its session; older ones become `missed(count)`."""
    log_prompts: bool = field(default=False, metadata=kind.TRUTH.field())
    """Put prompts and answers into the host's log events. Off by default: they can be private."""

    if TYPE_CHECKING:

        def __init__(self, **given: Unpack[SettingsFields]) -> None: ...

    def __new__(cls, **given: Any) -> Self:
        for name in given:
            cls._check_name(name)
        self = object.__new__(cls)
        object.__setattr__(self, "_given", frozenset(given))
        return self

    def __post_init__(self) -> None:
        if "idle_ttl" not in self.given() and not self.is_durable:
            object.__setattr__(self, "idle_ttl", MEMORY_IDLE_TTL_S)
        for name, of in self._kinds().items():
            object.__setattr__(self, name, of.checked(name, getattr(self, name)))

    @classmethod
    def resolve(
        cls,
        settings: Settings | None = None,
        overrides: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        at_home: bool = False,
    ) -> Settings:
        """The settings that hold: `overrides` win over the fields given to `settings`, they over `environ`.

        `at_home`: where none of them names a journal, it is `home_journal`, as for the command line and the servers;
        where none names a data directory and `ALC_HOME` is set, it is `moonward` in there: who gives packages a home
        of their own wants the rest in there, too.
        Raises `SettingsError` for a wrong value or an unknown name, naming it.
        """
        if settings is not None and not isinstance(settings, cls):
            raise SettingsError(f"settings must be a Settings or None, got {type(settings).__name__}")
        values = cls._from_environment(environ or {})
        if settings is not None:
            values.update(settings.given())
        for name, value in (overrides or {}).items():
            cls._check_name(name)
            values[name] = value
        if at_home and "data_dir" not in values and (home := (environ or {}).get("ALC_HOME")):
            values["data_dir"] = Path(home).expanduser() / HOME_FOLDER
        if at_home and "journal" not in values:
            values["journal"] = cls(**values).home_journal
        return cls(**values)

    def given(self) -> dict[str, Any]:
        """The fields that were set when this was made, the others having their defaults."""
        names: frozenset[str] = getattr(self, "_given", frozenset())
        return {name: getattr(self, name) for name in self._kinds() if name in names}

    @property
    def is_durable(self) -> bool:
        """Whether the journal outlives the Runtime."""
        return self.journal != "memory:"

    @property
    def data_path(self) -> Path:
        """The directory of state and cards: `data_dir`, or the user's."""
        return self.data_dir or platformdirs.user_data_path("moonward")

    @property
    def home_journal(self) -> str:
        """The URL of the journal in the data directory."""
        return f"sqlite:///{self.data_path / HOME_JOURNAL}"

    def session_limit(self, soft_open_files: int | None = None) -> int:
        """Most live sessions: `max_sessions`, or what the soft limit on open files (default: this process's) allows."""
        if self.max_sessions is not None:
            return self.max_sessions
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if soft_open_files is None else soft_open_files
        if soft == resource.RLIM_INFINITY:
            soft = 1 << 20  # the kernel's own usual ceiling (fs.nr_open)
        return max(1, (soft - DESCRIPTORS_RESERVED) // DESCRIPTORS_PER_SESSION)

    def why_full(self) -> str:
        """What to say when `session_limit` is reached."""
        held = f"{self.session_limit()} live sessions are held, "
        if self.max_sessions is not None:
            return held + "which is max_sessions; wait for one to end, or raise it"
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"{held}as many as this process's limit on open files ({soft}) allows; wait for one to end, or raise that"
            f" limit (ulimit -n; the hard limit is {hard})"
        )

    @classmethod
    def _kinds(cls) -> dict[str, kind.SettingKind]:
        return {each.name: each.metadata["kind"] for each in fields(cls)}

    @classmethod
    def _from_environment(cls, environ: Mapping[str, str]) -> dict[str, Any]:
        kinds = cls._kinds()
        values: dict[str, Any] = {}
        for variable, text in environ.items():
            if not variable.startswith(PREFIX) or variable.startswith(OTHER_PREFIXES):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in kinds:
                raise SettingsError(f"unknown setting {variable!r} in the environment{cls._nearest(name)}")
            values[name] = kinds[name].parsed(variable, text)
        return values

    @classmethod
    def _check_name(cls, name: str) -> None:
        if name not in cls._kinds():
            raise SettingsError(f"unknown setting {name!r}{cls._nearest(name)}")

    @classmethod
    def _nearest(cls, name: str) -> str:
        near = difflib.get_close_matches(name, cls._kinds(), n=1)
        return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(cls._kinds())}"
