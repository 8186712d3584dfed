"""
The runner with a gate before every one of its awaits, made from its source by a test.

`await x` becomes `await _gate("where", lambda: x, locals())` and `async with x` gets a gate at its
entry and its exit, so an await that is added later is a point as well, and the shipped code knows
of none of this. The `gate` decides what happens there: nothing, a kill, a cut wire.

A point's name is `function: awaited expression`, numbered where a function has it twice.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

from nextstep.events.io import runner as shipped

#: Called before an await with its name, the frame's variables and a function that starts it.
Gate = Callable[[str, dict[str, Any], Callable[[], Awaitable[Any]]], Awaitable[Any]]

_FILE = Path(shipped.__file__)
#: Where the class ends that drives a stage; functions after it await nothing.
_CLASS = "StageRunner"


class _Gates(ast.NodeTransformer):
    def __init__(self) -> None:
        self.points: list[str] = []
        self._function = ""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self._function = node.name
        return self.generic_visit(node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        name = self._name(node.value)
        self.generic_visit(node)
        start = ast.Lambda(
            args=ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]),
            body=node.value,
        )
        return ast.copy_location(ast.Await(self._call("_gate", name, start)), node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        for item in node.items:
            enter = self._name(item.context_expr, " enter")
            leave = self._name(item.context_expr, " leave")
            item.context_expr = self._call("_gates", enter, leave, item.context_expr)
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def _name(self, awaited: ast.expr, after: str = "") -> str:
        text = " ".join(ast.unparse(awaited).split())
        call = text.split("(", 1)[0] if "(" in text else text
        if "_QUERIES[" in text:
            call += f" {text.split('_QUERIES[', 1)[1].split(']')[0]}"
        name = f"{self._function}: {call}{after}"
        times = Counter(point.partition(" #")[0] for point in self.points)[name]
        self.points.append(f"{name} #{times + 1}" if times else name)
        return self.points[-1]

    @staticmethod
    def _call(function: str, *args: Any) -> ast.Call:
        given = [ast.Constant(arg) if isinstance(arg, str) else arg for arg in args]
        here = ast.Call(ast.Name("locals", ast.Load()), [], [])
        return ast.Call(ast.Name(function, ast.Load()), [*given, here], [])


class _Gated(AbstractAsyncContextManager[Any]):
    def __init__(self, gate: Gate, enter: str, leave: str, inner: Any, scope: dict[str, Any]):
        self._gate, self._names, self._inner, self._scope = gate, (enter, leave), inner, scope

    async def __aenter__(self) -> Any:
        return await self._gate(self._names[0], self._scope, self._inner.__aenter__)

    async def __aexit__(self, *error: Any) -> Any:
        leave = self._inner.__aexit__
        return await self._gate(self._names[1], self._scope, lambda: leave(*error))


def gated_runner(gate: Gate, name: str = "gated_runner") -> tuple[ModuleType, list[str]]:
    """Return a module like the runner's whose awaits pass `gate`, and the names of all of them."""
    tree = ast.parse(_FILE.read_text(encoding="utf-8"))
    gates = _Gates()
    (driver,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == _CLASS)
    gates.visit(driver)
    outside = [
        node
        for other in tree.body
        if other is not driver
        for node in ast.walk(other)
        if isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor)
    ]
    assert not outside, "the runner awaits outside of its class: those would be no points"
    assert not [n for n in ast.walk(driver) if isinstance(n, ast.AsyncFor)]
    ast.fix_missing_locations(tree)
    module = ModuleType(name)
    module.__dict__.update(
        __file__=str(_FILE),
        _gate=lambda point, start, scope: gate(point, scope, start),
        _gates=lambda enter, leave, inner, scope: _Gated(gate, enter, leave, inner, scope),
    )
    sys.modules[name] = module
    exec(compile(tree, str(_FILE), "exec"), module.__dict__)
    return module, gates.points
