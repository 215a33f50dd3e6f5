# pyright: reportMissingImports=false, reportMissingModuleSource=false
"""The way to the database. The password is in a file; everything else comes from the environment."""

import os
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

CONNECT_SECONDS = 2
ANSWER_SECONDS = 5


class SettingError(Exception):
    """The container was started without something that it needs."""


def connect(answer_seconds: int = ANSWER_SECONDS) -> Any:
    """A connection of its own for each request: after a restart of the database none has to be found broken first."""
    return pymysql.connect(
        host=setting("MVC_DATABASE_HOST"),
        user=setting("MVC_DATABASE_USER"),
        database=setting("MVC_DATABASE"),
        password=secret("MVC_DATABASE_PASSWORD_FILE"),
        charset="utf8mb4",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=answer_seconds,
        write_timeout=answer_seconds,
        cursorclass=DictCursor,
    )


def setting(name: str) -> str:
    """A variable of the environment; SettingError when it is missing."""
    value = os.environ.get(name)
    if not value:
        raise SettingError(f"{name} is not set")
    return value


def secret(name: str) -> str:
    """The content of the file that a variable names."""
    path = Path(setting(name))
    try:
        value = path.read_text().strip()
    except OSError as error:
        raise SettingError(f"{name} is {path}: {error.strerror}") from None
    if not value:
        raise SettingError(f"{name} is {path}: the file is empty")
    return value
