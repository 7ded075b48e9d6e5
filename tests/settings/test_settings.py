"""Settings: where a value comes from, and what is refused."""

from __future__ import annotations

import copy
import pickle
import resource
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from moonward.actors.errors import SettingsError
from moonward.actors.limits import Limits
from moonward.actors.settings import Settings


def test_an_argument_wins_over_settings_and_they_win_over_the_environment() -> None:
    environ = {"MOONWARD_REAP_INTERVAL": "1", "MOONWARD_WARM_WORKERS": "7", "MOONWARD_EVENT_BUFFER": "9"}
    settings = Settings.resolve(Settings(reap_interval=2, warm_workers=5), {"reap_interval": 3}, environ)
    assert (settings.reap_interval, settings.warm_workers, settings.event_buffer) == (3.0, 5, 9)


def test_a_default_that_was_set_on_purpose_wins_over_the_environment() -> None:
    settings = Settings.resolve(Settings(journal="memory:"), {}, {"MOONWARD_JOURNAL": "sqlite:////j.db"})
    assert settings.journal == "memory:"


def test_a_field_that_was_not_set_is_left_to_the_environment() -> None:
    settings = Settings.resolve(Settings(warm_workers=1), {}, {"MOONWARD_JOURNAL": "sqlite:////j.db"})
    assert settings.journal == "sqlite:////j.db"


def test_the_journal_of_the_command_line_is_in_the_data_directory_unless_one_is_named() -> None:
    environ = {"MOONWARD_DATA_DIR": "/d"}
    assert Settings.resolve(None, {}, environ).journal == "memory:"
    assert Settings.resolve(None, {}, environ, at_home=True).journal == "sqlite:////d/journal.db"
    assert Settings.resolve(None, {}, {"MOONWARD_JOURNAL": "memory:"}, at_home=True).journal == "memory:"
    assert Settings.resolve(Settings(journal="memory:"), {}, environ, at_home=True).journal == "memory:"
    assert Settings.resolve(None, {"journal": "sqlite:///x"}, environ, at_home=True).journal == "sqlite:///x"
    assert Settings.resolve(None, {}, environ, at_home=True).idle_ttl is None


def test_the_command_line_keeps_its_data_in_the_home_of_packages_where_that_is_named() -> None:
    environ = {"ALC_HOME": "/a"}
    assert Settings.resolve(None, {}, environ).data_dir is None
    assert Settings.resolve(None, {}, environ, at_home=True).journal == "sqlite:////a/moonward/journal.db"
    named = environ | {"MOONWARD_DATA_DIR": "/d"}
    assert Settings.resolve(None, {}, named, at_home=True).journal == "sqlite:////d/journal.db"


def test_idle_sessions_expire_after_three_hours_in_memory_and_never_in_a_durable_journal() -> None:
    assert Settings().idle_ttl == 3 * 3600
    assert Settings(journal="sqlite:////j.db").idle_ttl is None
    assert Settings.resolve(Settings(), {"journal": "sqlite:////j.db"}, {}).idle_ttl is None
    assert Settings(idle_ttl=None).idle_ttl is None


def test_a_duration_may_be_a_timedelta_and_reads_back_as_seconds() -> None:
    settings = Settings.resolve(None, {"idle_ttl": timedelta(minutes=2), "reap_interval": 5}, {})
    assert (settings.idle_ttl, settings.reap_interval) == (120.0, 5.0)


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("journal", "postgres://x", "'memory:' or 'sqlite:///path'"),
        ("journal", "sqlite:///", "'memory:' or 'sqlite:///path'"),
        ("durability", "sloppy", "one of 'strict', 'relaxed'"),
        ("reap_interval", 0, "a positive number of seconds"),
        ("reap_interval", float("nan"), "a positive number of seconds"),
        ("reap_interval", 10**400, "a positive number of seconds"),
        ("reap_interval", True, "a positive number of seconds"),
        ("idle_ttl", -1, "a number of seconds from 0"),
        ("max_sessions", 0, "an integer from 1 or None"),
        ("warm_workers", 1.5, "an integer from 0"),
        ("require_confinement", "yes", "True or False"),
        ("package_paths", "/one", "a sequence of directories"),
        ("data_dir", 3, "a directory or None"),
        ("limits", 3, "a Limits or an object"),
    ],
)
def test_a_wrong_value_is_refused_by_name_with_what_would_be_right(name: str, value: Any, right: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**{name: value})
    assert name in str(caught.value)
    assert right in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("MOONWARD_WARM_WORKERS", "many"),
        ("MOONWARD_LOG_PROMPTS", "maybe"),
        ("MOONWARD_LIMITS", "{"),
        ("MOONWARD_LIMITS", "[]"),
        ("MOONWARD_REAP_INTERVAL", "-1"),
    ],
)
def test_a_wrong_environment_variable_is_refused_by_name(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.resolve(None, {}, {variable: text})


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="did you mean 'reap_interval'"):
        Settings.resolve(None, {"reap_intervall": 2}, {})
    with pytest.raises(SettingsError, match="did you mean 'reap_interval'"):
        Settings(reap_intervall=2)  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match="MOONWARD_JOURNALS"):
        Settings.resolve(None, {}, {"MOONWARD_JOURNALS": "memory:"})


def test_settings_of_another_type_are_refused() -> None:
    with pytest.raises(SettingsError, match="settings must be"):
        Settings.resolve({"journal": "memory:"}, {}, {})  # type: ignore[arg-type]


def test_every_kind_of_setting_can_be_read_from_the_environment() -> None:
    settings = Settings.resolve(
        None,
        {},
        {
            "MOONWARD_IDLE_TTL": "none",
            "MOONWARD_MAX_SESSIONS": "12",
            "MOONWARD_REQUIRE_CONFINEMENT": "1",
            "MOONWARD_PACKAGE_PATHS": "/one:/two",
            "MOONWARD_DATA_DIR": "/data",
            "MOONWARD_LIMITS": '{"max_queries": 3}',
            "MOONWARD_DURABILITY": "relaxed",
            "UNRELATED": "x",
        },
    )
    assert settings.idle_ttl is None
    assert settings.max_sessions == 12
    assert settings.require_confinement is True
    assert settings.package_paths == (Path("/one"), Path("/two"))
    assert settings.data_path == Path("/data")
    assert settings.limits == Limits(max_queries=3)
    assert settings.durability == "relaxed"


def test_sessions_are_bounded_by_the_limit_on_open_files_unless_told() -> None:
    assert Settings().session_limit(1024) == 320
    assert Settings().session_limit(10) == 1
    assert Settings(max_sessions=7).session_limit(1024) == 7


def test_where_the_limit_on_sessions_comes_from_is_told_with_what_to_do() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    derived = Settings().why_full()
    assert derived.startswith(
        f"{Settings().session_limit()} live sessions are held, as many as this process's limit on open"
    )
    assert f"open files ({soft}) allows" in derived
    assert f"(ulimit -n; the hard limit is {hard})" in derived
    assert Settings(max_sessions=7).why_full() == (
        "7 live sessions are held, which is max_sessions; wait for one to end, or raise it"
    )


def test_settings_are_immutable_and_survive_a_copy() -> None:
    settings = Settings(warm_workers=1)
    with pytest.raises(AttributeError):
        settings.warm_workers = 2  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)).given() == {"warm_workers": 1}
    assert copy.copy(settings) == settings
