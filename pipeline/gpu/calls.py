"""The calls of a unit: its kernels with their weights, for one choice of what is fused."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from pipeline.errors import RequestError
from pipeline.gpu import pack
from pipeline.gpu.pack import Arrays
from pipeline.gpu.units import Unit
from pipeline.operators import Network, Operator
from pipeline.passes.lay_out import EDGE
from schedules.cuda.chain import Chain, patch_values
from schedules.cuda.mean import Mean
from schedules.cuda.operators import Work
from schedules.cuda.order import Order
from schedules.cuda.product import Product
from schedules.cuda.scale import Scale
from schedules.cuda.vectors import padded
from schedules.cuda.window import Window
from schedules.frame import Frame, Planes

# How a unit comes by what its window reads: a kernel of its own, this one, or that of the unit
# before it.
Expansion = Literal["apart", "here", "before"]


@dataclass(frozen=True)
class Call:
    """A kernel, the tensors that it reads and writes by role, its packed constants by role, and the
    operators that it computes."""

    work: Work
    reads: dict[str, str]
    writes: dict[str, str]
    constants: Arrays = field(default_factory=dict)
    operators: tuple[Operator, ...] = field(default=(), compare=False, repr=False)

    @property
    def key(self) -> Work:
        """Calls of equal work are calls of one function."""
        return self.work


def frame(network: Network, tensor: str) -> Frame:
    """How a tensor lies in memory."""
    images, channels, height, width = network.shapes[tensor]
    dtype = EDGE if tensor == network.result else network.dtype
    return Frame(images, height, width, channels, dtype=dtype)


def order_of(network: Network, unit: Unit) -> Order:
    """The order of the channels between the convolutions of a unit."""
    assert unit.project is not None
    channels = network.shapes[unit.project.data][1]
    return Order(channels, unit.project.shuffle, unit.project.groups, network.dtype)


def calls_of(
    network: Network, unit: Unit, expansion: Expansion, follower: Unit | None
) -> list[Call]:
    """The kernels of a unit. `follower` is the unit whose expansion, or mean, the last of them
    computes."""
    if unit.other is not None:
        return [] if expansion == "before" else [_other(network, unit.other)]
    if unit.window and unit.project:
        first = [] if expansion != "apart" or not unit.expand else [_expansion(network, unit)]
        made = _chain(network, unit, expansion)
        return [*first, _followed(network, made, follower) if follower else made]
    if unit.expand and unit.window:
        return [_stem(network, unit.expand, unit.window)]
    return [_single(network, unit)]


def _other(network: Network, operator: Operator) -> Call:
    source = frame(network, operator.data)
    if operator.kind == "mean":
        work = Mean(source, frame(network, operator.writes).dtype)
        reads = {"data": operator.data}
        return Call(work, reads, {"out": operator.writes}, operators=(operator,))
    if operator.kind == "scale" and operator.gate:
        target = frame(network, operator.writes)
        scale = Scale(
            source, target, operator.offset, operator.residual is not None, operator.activation
        )
        reads = {"data": operator.data, "gate": operator.gate}
        reads |= _residual(operator)
        return Call(scale, reads, {"out": operator.writes}, operators=(operator,))
    raise RequestError(f"{operator.kind} is not served on GPUs")


def _single(network: Network, unit: Unit) -> Call:
    """A convolution or pool that is a kernel of its own, channels in their own order."""
    operator = unit.project or unit.window
    assert operator is not None
    source, target = _source(network, operator), frame(network, operator.writes)
    reads = {"data": operator.data} | _residual(operator)
    writes, dtype = {"out": operator.writes}, network.dtype
    if unit.window:
        window = _window(operator)
        constants = pack.depthwise(operator) if operator.kind == "depthwise" else {}
        work = Chain(source, target, window=window, offset=operator.offset)
        return Call(work, reads, writes, _named("window", constants, dtype), (operator,))
    if isinstance(source, Planes):
        product, constants = _first_convolution(operator, dtype)
        work = Chain(source, target, project=product, stride=operator.stride)
        return Call(work, reads, writes, _named("project", constants, dtype), (operator,))
    work = Chain(
        source, target, project=_product(operator, dtype), residual=operator.residual is not None,
        offset=operator.offset, gather=operator.shuffle,
    )  # fmt: skip
    constants = pack.grouped(operator, dtype)
    return Call(work, reads, writes, _named("project", constants, dtype), (operator,))


def _stem(network: Network, convolution: Operator, pool: Operator) -> Call:
    product, constants = _first_convolution(convolution, network.dtype)
    work = Chain(
        _source(network, convolution), frame(network, pool.writes), expand=product,
        middle=frame(network, convolution.writes), window=_window(pool),
        stride=convolution.stride, offset=pool.offset,
    )  # fmt: skip
    reads, writes = {"data": convolution.data}, {"out": pool.writes}
    named = _named("expand", constants, network.dtype)
    return Call(work, reads, writes, named, (convolution, pool))


def _expansion(network: Network, unit: Unit) -> Call:
    """The first convolution of a unit alone; it stores in the order of the unit."""
    assert unit.expand is not None
    call = _single(network, Unit(project=unit.expand))
    assert isinstance(call.work, Chain)
    return replace(call, work=replace(call.work, order=order_of(network, unit)))


def _chain(network: Network, unit: Unit, expansion: Expansion) -> Call:
    """Window and projection, with the expansion if it is computed here."""
    window, project = unit.window, unit.project
    assert window is not None
    assert project is not None
    order, target, dtype = order_of(network, unit), frame(network, project.writes), network.dtype
    here = unit.expand if expansion == "here" else None
    table = order.runs(here.groups) if here else order.table()
    outputs = len(pack.parameters(project)[0]) // project.groups
    work = Chain(
        _ordered(network, unit, order), target, window=_window(window),
        project=Product(project.groups, table[0].size, outputs, project.activation, dtype=dtype),
        residual=project.residual is not None, offset=project.offset,
    )  # fmt: skip
    reads = {"data": window.data} | _residual(project)
    constants = _named("window", pack.depthwise(window, table), dtype)
    constants |= _named("project", pack.projection(project, order, table), dtype)
    if here:
        inputs = network.shapes[here.data][1] // here.groups
        groups, run = table.shape[0] * table.shape[1], table.shape[2]
        expand = Product(groups, inputs, run, here.activation, here.groups, dtype)
        middle = frame(network, here.writes)
        work = replace(work, source=frame(network, here.data), expand=expand, middle=middle)
        reads["data"] = here.data
        constants |= _named("expand", pack.expansion(here, table), dtype)
    if unit.pool:
        work = replace(
            work, pooled=frame(network, unit.pool.data), pool=_window(unit.pool),
            pool_offset=unit.pool.offset,
        )  # fmt: skip
        reads["pooled"] = unit.pool.data
    same = tuple(role for role in reads if role != "data" and reads[role] == reads["data"])
    own = tuple(one for one in unit.operators if here or one is not unit.expand)
    return Call(replace(work, aliases=same), reads, {"out": project.writes}, constants, own)


def _ordered(network: Network, unit: Unit, order: Order) -> Frame:
    """The frame of what the window reads, if another kernel makes it."""
    assert unit.window is not None
    source = frame(network, unit.window.data)
    # Without an expansion the tensor has readers or makers who know of no order.
    return replace(source, channels=order.places) if unit.expand else source


def _followed(network: Network, call: Call, follower: Unit) -> Call:
    """The call with the expansion, or the mean, of the next unit at its end."""
    assert isinstance(call.work, Chain)
    if follower.other is not None:
        target = replace(call.work.target, dtype=frame(network, follower.result).dtype)
        work = replace(call.work, target=target, mean=True)
        operators = (*call.operators, follower.other)
        return replace(call, work=work, writes={"out": follower.result}, operators=operators)
    expand, order = follower.expand, order_of(network, follower)
    assert expand is not None
    packed, dtype = pack.grouped(expand, network.dtype), network.dtype
    # The result lies in shared memory with the channels of a group up to whole vectors.
    weight = packed["weight"]
    rows = padded(weight.shape[1], dtype)
    wide = np.zeros((weight.shape[0], rows, weight.shape[2]), "float32")
    wide[:, : weight.shape[1]] = weight
    follow = replace(_product(expand, dtype), inputs=rows)
    work = replace(call.work, follow=follow, order=order, after=order.places)
    constants = call.constants | _named("follow", packed | {"weight": wide}, dtype)
    writes = call.writes | {"after": expand.writes}
    return Call(work, call.reads, writes, constants, (*call.operators, expand))


def _source(network: Network, operator: Operator) -> Frame | Planes:
    if operator.data == network.source:
        return Planes(*network.shapes[network.source])
    return frame(network, operator.data)


def _product(operator: Operator, dtype: str) -> Product:
    weight, groups = pack.parameters(operator)[0], operator.groups
    outputs, inputs = weight.shape
    return Product(groups, inputs, outputs // groups, operator.activation, dtype=dtype)


def _first_convolution(operator: Operator, dtype: str) -> tuple[Product, Arrays]:
    outputs, values = len(pack.parameters(operator)[0]), patch_values(dtype)
    return (
        Product(1, values, outputs, operator.activation, dtype=dtype),
        pack.first_convolution(operator, values, dtype),
    )


def _window(operator: Operator) -> Window:
    kinds: dict[str, Literal["depthwise", "max", "average"]] = {
        "depthwise": "depthwise", "max_pool": "max", "average_pool": "average",
    }  # fmt: skip
    return Window(kinds[operator.kind], operator.stride, operator.activation)


def _residual(operator: Operator) -> dict[str, str]:
    return {} if operator.residual is None else {"residual": operator.residual}


def _named(step: str, arrays: Arrays, dtype: str) -> Arrays:
    return {f"{step}_{role}": array.astype(dtype) for role, array in arrays.items()}
