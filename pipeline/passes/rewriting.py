"""What the passes share: rewriting a function call by call, and constants as arrays."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import tvm
from numpy.typing import DTypeLike, NDArray
from tvm import relax

# From the rewriter and a call of the function as it was, to what stands for the call. None: as is.
Rule = Callable[["Rewriter", relax.Call], relax.Expr | None]

TIDY = (relax.transform.CanonicalizeBindings, relax.transform.DeadCodeElimination)


def rewrite(mod: tvm.IRModule, rule: Rule) -> tvm.IRModule:
    """`mod` with the rule applied to every call in order; itself where the rule never applies."""
    changed = {}
    for name, function in mod.functions_items():
        if isinstance(function, relax.Function):
            rewriter = Rewriter(function, rule)
            rewritten = rewriter.visit_expr(function)
            if rewriter.applied:
                changed[name] = rewritten
    if not changed:
        return mod
    mod = mod.clone()
    for name, function in changed.items():
        mod.update_func(name, function)
    return tvm.transform.Sequential([tidy() for tidy in TIDY])(mod)


@relax.expr_functor.mutator
class Rewriter(relax.PyExprMutator):  # type: ignore[misc]
    """One function, as it was and as far as it is rewritten."""

    def __init__(self, function: relax.Function, rule: Rule) -> None:
        super().__init__()
        self.applied = False
        self._rule = rule
        self._values = relax.analysis.get_var2val(function)
        self._users = _count_users(function)

    def was(self, expr: relax.Expr) -> relax.Expr:
        """What computed `expr` before rewriting; `expr` itself where nothing did."""
        while isinstance(expr, relax.Var) and expr in self._values:
            expr = self._values[expr]
        return expr

    def has_one_user(self, expr: relax.Expr) -> bool:
        """Whether one binding, or the function's result, read `expr` before rewriting."""
        return self._users[expr] == 1

    def renewed(self, expr: relax.Expr) -> relax.Expr:
        """What stands for `expr` after rewriting."""
        return self.visit_expr(expr)

    def made(self, expr: relax.Expr) -> relax.Expr:
        """What computes `expr`, a result of `renewed`; `expr` itself where nothing does."""
        while isinstance(expr, relax.Var):
            value = self.lookup_binding(expr)
            if value is None:
                break
            expr = value
        return expr

    def emit(self, expr: relax.Expr) -> relax.Var:
        """Compute `expr` before the call in hand."""
        return self.builder_.emit(expr)

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        replacement = self._rule(self, call)
        if replacement is None:
            return self.visit_expr_post_order(call)
        self.applied = True
        return replacement

    def visit_tuple_getitem_(self, item: relax.TupleGetItem) -> relax.Expr:
        """Read through tuples, so that what a rule returns in one is seen by the next rule."""
        item = self.visit_expr_post_order(item)
        fields = self.made(item.tuple_value)
        return fields[item.index] if isinstance(fields, relax.Tuple) else item


def is_call(expr: relax.Expr, *names: str) -> bool:
    """Whether `expr` calls one of the operators `relax.<name>`."""
    return (
        isinstance(expr, relax.Call)
        and isinstance(expr.op, tvm.ir.Op)
        and expr.op.name.removeprefix("relax.") in names
    )


def array_of(expr: relax.Expr) -> NDArray[Any] | None:
    """A constant's value; None for what is not a constant."""
    return expr.value.numpy() if isinstance(expr, tvm.ir.GenericConst) else None


def constant(value: NDArray[Any], dtype: DTypeLike) -> relax.Expr:
    """A constant tensor."""
    return relax.const(np.ascontiguousarray(value, dtype=dtype))


def shape_of(expr: relax.Expr) -> tuple[int, ...]:
    """The static shape of a tensor."""
    return tuple(int(extent) for extent in expr.ty.shape.values)


def _count_users(function: relax.Function) -> Counter[relax.Var]:
    users: Counter[relax.Var] = Counter()

    def count(expr: relax.Expr) -> None:
        if isinstance(expr, relax.SeqExpr):
            users.update(_read_by(expr.body))
            for block in expr.blocks:
                for binding in block.bindings:
                    users.update(_read_by(binding.value))

    relax.analysis.post_order_visit(function, count)
    return users


def _read_by(expr: relax.Expr) -> set[relax.Var]:
    return set(relax.analysis.free_vars(expr))
