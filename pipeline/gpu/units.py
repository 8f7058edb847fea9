"""Finding the units of a network: which operators one kernel can compute.

    pointwise -> depthwise -> pointwise (+ average pool beside it)
    first convolution -> maximum pool

An operator that belongs to no unit is one of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import RequestError
from pipeline.operators import Network, Operator

WINDOWED = ("first_convolution", "depthwise", "max_pool", "average_pool")
WINDOW = ((3, 3), 1)


@dataclass(frozen=True)
class Unit:
    """Operators that can be one kernel. `expand` makes what only `window` reads, `window` what only
    `project` reads; `pool` writes other channels of the tensor that `project` writes."""

    expand: Operator | None = None
    window: Operator | None = None
    project: Operator | None = None
    pool: Operator | None = None
    other: Operator | None = None

    @property
    def result(self) -> str:
        """The tensor that the unit writes."""
        last = self.project or self.window or self.other or self.expand
        if last is None:
            raise ValueError("a unit without operators")
        return last.writes

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Those that it has, in an order in which they can run."""
        every = (self.expand, self.window, self.project, self.pool, self.other)
        return tuple(one for one in every if one is not None)


def find_units(network: Network) -> list[Unit]:
    """The units in an order in which they can run; RequestError for windows that are not served."""
    _require_windows(network)
    operators = list(network.operators)
    units = []
    while operators:
        first = operators.pop(0)
        unit = _unit(network, first, operators)
        for taken in (unit.window, unit.project, unit.pool):
            if taken is not None and taken is not first:
                operators.remove(taken)
        units.append(unit)
    return list(_in_order(network, units))


def one_operator_each(network: Network) -> list[Unit]:
    """Every operator as a unit of its own; RequestError for windows that are not served."""
    _require_windows(network)
    return [_alone(operator) for operator in network.operators]


def _require_windows(network: Network) -> None:
    for step in network.operators:
        if step.kind in WINDOWED and (step.kernel, step.padding) != WINDOW:
            height, width = step.kernel
            raise RequestError(
                f"{step.kind} with a window of {height}x{width}, padded by {step.padding}, is not"
                " served on GPUs; 3x3 padded by 1 is"
            )


def only_reader(network: Network, tensor: str) -> Operator | None:
    """The operator that alone reads a tensor, as its data."""
    readers = [o for o in network.operators if tensor in (o.data, o.residual, o.gate)]
    if len(readers) != 1 or tensor == network.result or readers[0].data != tensor:
        return None
    return readers[0]


def readers_after(network: Network, writer: Operator) -> list[Operator]:
    """The operators that read a tensor from the time on at which an operator has written it."""
    number = next(n for n, one in enumerate(network.operators) if one is writer)
    later = network.operators[number + 1 :]
    return [o for o in later if writer.writes in (o.data, o.residual, o.gate)]


def _unit(network: Network, first: Operator, rest: list[Operator]) -> Unit:
    if first.kind == "first_convolution":
        pool = _next(network, first, "max_pool", rest)
        return Unit(expand=first, window=pool) if pool else _alone(first)
    if first.kind == "pointwise":
        window = _next(network, first, "depthwise", rest)
        project = _next(network, window, "pointwise", rest) if window else None
        if window and project and first.residual is None and first.activation != "sigmoid":
            return Unit(first, window, project, _beside(project, rest))
    if first.kind == "depthwise":
        project = _next(network, first, "pointwise", rest)
        if project:
            return Unit(None, first, project, _beside(project, rest))
    return _alone(first)


def _next(network: Network, operator: Operator, kind: str, rest: list[Operator]) -> Operator | None:
    """The operator of that kind which alone reads all that another one writes."""
    reader = only_reader(network, operator.writes)
    writers = [o for o in network.operators if o.writes == operator.writes]
    found = reader in rest and reader is not None and reader.kind == kind and len(writers) == 1
    return reader if found else None


def _beside(project: Operator, rest: list[Operator]) -> Operator | None:
    """The average pool that writes the other channels of a concatenation."""
    pools = [o for o in rest if o.kind == "average_pool" and o.writes == project.writes]
    return pools[0] if len(pools) == 1 else None


def _alone(operator: Operator) -> Unit:
    if operator.kind in ("depthwise", "max_pool", "average_pool"):
        return Unit(window=operator)
    if operator.kind in ("pointwise", "first_convolution"):
        return Unit(project=operator)
    return Unit(other=operator)


def _in_order(network: Network, units: list[Unit]) -> Iterator[Unit]:
    """Units so that each runs when what it reads is written."""
    writers: dict[str, int] = {}
    for operator in network.operators:
        writers[operator.writes] = writers.get(operator.writes, 0) + 1
    waiting = list(units)
    while waiting:
        ready = next(unit for unit in waiting if not (_reads(unit) & writers.keys()))
        waiting.remove(ready)
        for operator in ready.operators:
            writers[operator.writes] -= 1
            if not writers[operator.writes]:
                del writers[operator.writes]
        yield ready


def _reads(unit: Unit) -> set[str]:
    """Tensors from outside that a unit reads."""
    own = {operator.writes for operator in unit.operators}
    read = {
        tensor
        for operator in unit.operators
        for tensor in (operator.data, operator.residual, operator.gate)
        if tensor is not None
    }
    return read - own
