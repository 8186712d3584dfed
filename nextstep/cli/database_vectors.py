"""`nextstep db plan-index` and `db explain-search`: the vector index and whether it is used."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from nextstep.db import embedded
from nextstep.db.migrate import connected, require_migrated
from nextstep.db.prepare import Connection
from nextstep.db.vector_index import ensure, existing, memory_budget, planned, vector_version
from nextstep.db.vector_plan import VectorIndex, index_names, nearest_query, plan
from nextstep.errors import InputError
from nextstep.match.strategy import Index, choose
from nextstep.settings import Settings


def register_vectors(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both verbs to `nextstep db`."""
    index = actions.add_parser("plan-index", help="which vector index, with what parameters, why")
    index.add_argument("--apply", action="store_true", help="build it; writers go on meanwhile")
    index.add_argument("--rows", type=int, help="plan for so many vectors instead of those there")
    index.set_defaults(run=_plan_index)
    explain = actions.add_parser("explain-search", help="whether a search uses the vector index")
    explain.add_argument("--limit", type=int, default=50, help="neighbours asked for (default 50)")
    explain.set_defaults(run=_explain_search)
    for parser in (index, explain):
        parser.add_argument("--model", help="only this model")
        parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def _plan_index(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url:
        require_migrated(url)
        with connected(url) as connection:
            version = vector_version(connection)
            reports = []
            for index in _plans(connection, args, version, settings):
                if args.apply and index.method != "none" and index.rows:
                    print(f"building {index.name} over {index.rows} vectors", file=sys.stderr)
                    ensure(connection, index, budget_bytes=memory_budget(url), concurrently=True)
                reports.append(_report(connection, index, settings))
    if args.json:
        print(msgspec.json.encode({"pgvector": version, "indexes": reports}).decode())
    else:
        print("\n\n".join(_text(report) for report in reports))
    return 0


def _plans(
    connection: Connection, args: argparse.Namespace, version: str, settings: Settings
) -> list[VectorIndex]:
    found = [index for index in planned(connection) if args.model in (None, index.model)]
    if not found:
        # Nothing is embedded yet: plan for the shape that the default encoder gives.
        found = [plan(version, 0, args.model or settings.embedding_model, 384, "")]
    if args.rows is not None:
        found = [plan(version, args.rows, i.model, i.dim, i.recipe) for i in found]
    return found


def _report(connection: Connection, index: VectorIndex, settings: Settings) -> dict[str, Any]:
    have = existing(connection, index)
    return {
        **msgspec.to_builtins(index),
        "statement": index.statement() if index.method != "none" else None,
        "state": "valid" if have.get(index.name) else "invalid" if index.name in have else "absent",
        "worth_it": index.rows >= settings.vector_index_min_rows,
    }


def _text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['method'].upper()} for {report['model']} {report['recipe']}".rstrip(),
        f"  why     {report['reason']}",
        f"  rows    {report['rows']} of {report['dim']} dimensions",
        f"  build   {_pairs(report['parameters'])}",
        f"  search  {_pairs(report['search'])}",
        f"  state   {report['state']}",
    ]
    if not report["worth_it"]:
        lines.append("  note    so few vectors are scanned exactly; no index is needed yet")
    return "\n".join([*lines, f"  {report['statement']};"] if report["statement"] else lines)


def _pairs(values: dict[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items()) or "-"


def _explain_search(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url:
        require_migrated(url)
        with connected(url) as connection:
            found = [index for index in planned(connection) if args.model in (None, index.model)]
            if not found:
                raise InputError(
                    "there are no vectors to search" + (f" of {args.model}" if args.model else ""),
                    hint="run the line first: nextstep run --once",
                )
            report = _explain(connection, found[0], args.limit)
    if args.json:
        print(msgspec.json.encode(report).decode())
    else:
        verdict = f"uses {report['index']}" if report["index"] else "scans exactly, without index"
        print(f"{report['model']}: {verdict}\n" + "\n".join(report["plan"]))
        print("A match compares vectors, by how many jobs pass its filters:")
        for way in report["ways"]:
            print(f"  {way['passing']:>9}  {way['method']:<7} {way['why']}")
    return 0


def _explain(connection: Connection, index: VectorIndex, limit: int) -> dict[str, Any]:
    found = _found_index(connection, index)
    with connection.transaction():
        for name, value in index.search.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, str(value)])
        if found.walks_on:
            connection.execute("SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true)")
        sample = connection.execute(
            "SELECT embedding::text FROM public.job_embeddings"
            " WHERE model_name = %s AND recipe = %s AND dim = %s ORDER BY job_id LIMIT 1",
            [index.model, index.recipe, index.dim],
        ).fetchone()
        assert sample is not None
        query = nearest_query(
            index.model, index.recipe, index.dim, limit=str(int(limit)), is_half=found.is_half
        )
        # A vector's text holds digits, commas and brackets only.
        query = query.replace("$1", f"'{sample[0]}'")
        rows = connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {query}".encode()).fetchall()
        names = existing(connection, index)
    lines = [str(row[0])[:160] for row in rows]
    used = next((name for name in names if any(name in line for line in lines)), None)
    return {
        "model": index.model,
        "recipe": index.recipe,
        "index": used,
        "plan": lines,
        "ways": _ways(index, found),
    }


def _found_index(connection: Connection, index: VectorIndex) -> Index:
    """What a search finds: the best of the model's valid indexes."""
    have = existing(connection, index)
    numbers = tuple(int(n) for n in vector_version(connection).split(".") if n.isdigit())
    for name, (method, is_half) in index_names(index.model, index.recipe, index.dim).items():
        if have.get(name):
            return Index(method, is_half, numbers)
    return Index()


def _ways(index: VectorIndex, found: Index) -> list[dict[str, Any]]:
    """How a match would look for vectors, by the share of jobs that pass its filters."""
    ways = []
    for share in (1.0, 0.3, 0.1, 0.05, 0.005):
        passing = max(1, round(index.rows * share))
        way = choose(index.rows, passing, found, nearest=200, exact=False)
        ways.append({"passing": passing, "method": way.method, "why": way.why})
    return ways
