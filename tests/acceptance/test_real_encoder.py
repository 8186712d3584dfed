"""The encoder that ships: on a CPU, offline, in processes of its own; sensible neighbours."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
import numpy as np
import pytest

from nextstep.events.io.line import run_line
from nextstep.http.encoding import QueryEncoder
from nextstep.match.io.service import match
from nextstep.match.profile import convert_profile
from nextstep.match.reading import make_lexicon, read_profile
from nextstep.processors.embed import EMBED
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings
from tests.match_data import Job, fill

TEXTS = {
    "Registered Nurse": "Care for patients on a surgical ward, give medication, keep records.",
    "Midwife": "Support mothers before, during and after birth in our maternity unit.",
    "Care Assistant": "Help elderly residents with washing, dressing and meals.",
    "Data Engineer": "Build ETL pipelines in Python and Spark on AWS, model data in SQL.",
    "Machine Learning Engineer": "Train and deploy deep learning models with PyTorch.",
    "Frontend Developer": "Build user interfaces in React and TypeScript.",
    "Site Reliability Engineer": "Run Kubernetes clusters, on call, monitoring, incident response.",
    "Embedded Engineer": "Write firmware in C for microcontrollers.",
    "Accountant": "Month-end close, ledgers, VAT returns, reconciliation of bank accounts.",
    "Payroll Clerk": "Process weekly wages and pensions for 400 staff.",
    "Financial Analyst": "Budgets, forecasts and valuation models for the board.",
    "Truck Driver": "Deliver goods across the country with a heavy goods vehicle.",
    "Warehouse Operative": "Pick and pack orders, drive a forklift.",
    "Chef de Partie": "Cook fresh food in a busy hotel kitchen.",
    "Waiter": "Serve guests at the table in a fine dining restaurant.",
    "Primary School Teacher": "Teach children aged six to ten reading, writing and arithmetic.",
    "Physics Teacher": "Teach physics to secondary pupils up to A level.",
    "Electrician": "Install wiring, test circuits and repair faults in homes.",
    "Plumber": "Fit and repair pipes, boilers and bathrooms.",
    "Sales Executive": "Win new business by telephone and meet monthly targets.",
}
#: Query -> titles, one of which must come first.
QUERIES = {
    "looking after sick people in a hospital": {"Registered Nurse", "Care Assistant"},
    "big data pipelines with Spark": {"Data Engineer"},
    "neural networks": {"Machine Learning Engineer"},
    "keeping production servers running": {"Site Reliability Engineer"},
    "bookkeeping and taxes": {"Accountant"},
    "driving a lorry": {"Truck Driver"},
    "cooking in a restaurant": {"Chef de Partie"},
    "science lessons for teenagers": {"Physics Teacher"},
    "web design with JavaScript": {"Frontend Developer"},
    "fixing a leaking tap": {"Plumber"},
}


@pytest.mark.req("N-08", "S-14", "D-10")
async def test_real_vectors_give_sensible_matches_without_torch_in_this_process(
    connection: Any, database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    had_torch = "torch" in sys.modules
    jobs = [
        Job(name=title, title=title, title_norm=title, text=text, tools=(), vector=False)
        for title, text in TEXTS.items()
    ]
    await fill(connection, jobs)
    await connection.execute("DELETE FROM stage_offsets WHERE stage = $1", EMBED.name)
    settings = msgspec.structs.replace(settings, executor="processes")
    await run_line(database, settings, (EMBED,), once=True)
    rows = await connection.fetch("SELECT dim, embedding FROM job_embeddings")
    assert len(rows) == len(TEXTS)
    for row in rows:
        assert row["dim"] == 384
        assert np.linalg.norm(row["embedding"].to_numpy()) == pytest.approx(1, abs=1e-5)

    lexicon = make_lexicon(load_taxonomies())
    encoder = QueryEncoder(settings)
    try:
        await encoder.start()
        assert encoder.is_warm
        alone = await encoder.encode(["neural networks"])
        together, again = await asyncio.gather(
            encoder.encode(["driving a lorry", "neural networks"]),
            encoder.encode(["neural networks"]),
        )
        assert together.shape == (2, 384)
        assert np.allclose(together[1], alone[0], atol=1e-5)
        assert np.array_equal(again[0], alone[0])
        right = 0
        for text, expected in QUERIES.items():
            reading = read_profile(convert_profile({"text": text, "exact": True}), lexicon)
            vector = (await encoder.encode([reading.query_text]))[0]
            answer, _ = await match(connection, reading, vector, lexicon=lexicon, settings=settings)
            assert len(answer.results) == 20
            right += answer.results[0].title in expected
        assert right >= 9
    finally:
        await encoder.close()
    assert ("torch" in sys.modules) == had_torch
