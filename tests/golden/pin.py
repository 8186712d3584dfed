"""
Write the digests of the shipped sample beside each stage's code_version.

    python -m tests.golden.pin

Run it after raising a stage's `code_version`; the diff belongs in the commit that says why.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from nextstep.db import embedded
from nextstep.db.migrate import migrate
from nextstep.processors import STAGES
from nextstep.projections import PROJECTIONS
from nextstep.settings import Settings
from tests.whole_line import append_sample, digests, drain


async def _found(settings: Settings, url: str) -> dict[str, object]:
    await append_sample(settings, url)
    await drain(settings, url)
    return await digests(settings, url)


def main() -> None:
    """Write versions.json."""
    with tempfile.TemporaryDirectory(prefix="nextstep-pin-") as folder:
        Path(folder).chmod(0o711)
        settings = Settings(home=Path(folder), executor="inline", log_level="warning")
        with embedded.running(settings) as url:
            migrate(url)
            found = asyncio.run(_found(settings, url))
    pinned = {
        stage.name.partition(":")[0]: {
            "code_version": stage.code_version,
            "tables": {table: str(found[table]) for table in sorted(stage.digest_columns)},
        }
        for stage in (*STAGES, *PROJECTIONS)
    }
    path = Path(__file__).with_name("versions.json")
    path.write_text(json.dumps(pinned, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
