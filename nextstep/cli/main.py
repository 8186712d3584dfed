"""The command line: global flags, the list of verb groups, errors as text and exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import asyncpg
import psycopg

from nextstep import __version__, logs
from nextstep.errors import NextStepError
from nextstep.settings import load_settings

#: Every file of verbs with its verbs, in the order `nextstep --help` shows them. Only the file of
#: the verb at hand is imported: some of them pull in half a second of libraries.
GROUPS: dict[str, tuple[str, ...]] = {
    "up": ("up", "bootstrap"),
    "database": ("db",),
    "ingest": ("ingest",),
    "line": ("run", "status", "pause", "resume", "reset"),
    "dead_letters": ("dead-letters",),
    "log": ("log",),
    "rebuild": ("rebuild", "verify"),
    "dedupe": ("dedupe",),
    "extract": ("extract",),
    "evaluate": ("eval",),
    "taxonomy": ("taxonomy",),
    "models": ("models",),
    "match": ("match", "similar"),
    "search": ("search",),
    "serve": ("serve",),
    "token": ("token",),
    "trends": ("trends",),
    "doctor": ("doctor",),
    "artifacts": ("artifacts",),
    "bulk": ("bulk",),
    "install": ("install",),
    "backup": ("backup",),
    "daily": ("run-daily", "replay", "watch"),
}

_SETTING_FLAGS = ("database_url", "home", "log_format", "log_level", "embedding_model", "executor")


def build_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser; with arguments that name a verb, only with that verb's file."""
    parser = argparse.ArgumentParser(
        prog="nextstep", description="The market of job posts as a replayable log."
    )
    parser.add_argument("--version", action="version", version=f"nextstep {__version__}")
    parser.add_argument("--database-url", help="a PostgreSQL URL; wins over the embedded server")
    parser.add_argument("--home", help="folder of the embedded database and other state")
    parser.add_argument("--log-format", choices=("auto", "json", "console"))
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--embedding-model", help="name or folder of the sentence encoder")
    parser.add_argument("--executor", choices=("processes", "inline", "ray"))
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    named = next((word for word in argv if any(word in of for of in GROUPS.values())), None)
    for group, of in GROUPS.items():
        if named is not None and named not in of:
            continue
        importlib.import_module(f"nextstep.cli.{group}").register(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 bad input or usage, 3 and up run-time."""
    argv = sys.argv[1:] if argv is None else argv
    args = build_parser(argv).parse_args(argv)
    try:
        settings = load_settings({name: getattr(args, name) for name in _SETTING_FLAGS}, os.environ)
        logs.configure(settings)
        if settings.executor == "ray" and getattr(args, "json", False):
            from nextstep.cli.common import only_json  # noqa: PLC0415 - slow to load

            # Ray prints to stdout when a worker dies, whatever it is told.
            with only_json():
                return int(args.run(args, settings))
        return int(args.run(args, settings))
    except NextStepError as error:
        print(f"nextstep: {error}", file=sys.stderr)
        return error.exit_code
    except (asyncpg.PostgresError, psycopg.Error) as error:
        # Not one of the faults that a room explains; the server's own words are the best there are.
        print(f"nextstep: the server refused: {str(error).strip()}", file=sys.stderr)
        print("HINT: nextstep doctor checks the server, its roles and its schema", file=sys.stderr)
        return 3
    except BrokenPipeError:
        # The reader of our output went away (`nextstep log show | head`): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
