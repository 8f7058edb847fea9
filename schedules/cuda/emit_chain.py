"""Writing the kernel of a chain. See `chain.py` for its nest."""

from tvm.tirx import PrimFunc

from schedules.cuda.block import grid, in_turn
from schedules.cuda.chain import PRODUCTS, Chain, Tile, first_product, slices
from schedules.cuda.chain_products import follow, project, result_rows
from schedules.cuda.chain_rows import expand, first_rows
from schedules.cuda.chain_windows import pool, window_to_target, windowed
from schedules.cuda.emit_product import begin_product
from schedules.cuda.extent import access_of, from_piece, halo_of, patch_of
from schedules.cuda.product_lanes import Nest
from schedules.cuda.site import Site
from schedules.frame import Frame, Planes
from schedules.program import TensorType, prim_func, tensor


def tensor_type(frame: Frame | Planes) -> TensorType:
    """Images as they are handed in; activations as [pixels, channels]."""
    own = frame.shape if isinstance(frame, Planes) else (frame.pixels, frame.channels)
    return TensorType(own, frame.dtype)


def inputs(chain: Chain) -> dict[str, TensorType]:
    """The activations that a chain reads, by role."""
    types = {"data": tensor_type(chain.source)}
    if chain.residual:
        types["residual"] = TensorType((chain.target.pixels, chain.target.channels), chain.dtype)
    if chain.pooled:
        types["pooled"] = tensor_type(chain.pooled)
    return types


def constants(chain: Chain) -> dict[str, TensorType]:
    """The packed constants of a chain, by step and role."""
    types: dict[str, TensorType] = {}
    for name in PRODUCTS:
        product = getattr(chain, name)
        if product:
            types |= {f"{name}_{role}": one for role, one in product.weight_types.items()}
    if chain.window:
        made = chain.window.constants(chain.groups * chain.windowed, chain.dtype)
        types |= {f"window_{role}": one for role, one in made.items()}
    return types


def outputs(chain: Chain) -> dict[str, TensorType]:
    """The activations that a chain writes, by role."""
    target = chain.target
    own = chain.order.places if chain.order and not chain.follow else target.channels
    rows = target.images if chain.mean else target.pixels
    types = {"out": TensorType((rows, own), target.dtype)}
    if chain.follow:
        types["after"] = TensorType((target.pixels, chain.after), chain.dtype)
    return types


def program(chain: Chain, tile: Tile) -> PrimFunc:
    """The kernel of a chain: inputs, constants, outputs, in the order of the above."""
    with prim_func("main") as builder:
        types = {**inputs(chain), **constants(chain), **outputs(chain)}
        tensors = {name: tensor(name, one.shape, one.dtype) for name, one in types.items()}
        patch = patch_of(chain, tile)
        with grid(patch.tiles, slices(chain, tile) * tile.parts, tile.threads) as block:
            _write(Site(chain, tile, block, patch, tensors))
    return builder.get()


def _write(site: Site) -> None:
    """All steps that the chain has. A product is begun before the step that makes its data."""
    first = "expand" if site.chain.expand else "project"
    begun = {first: _begun(site, first)}
    with in_turn():
        _write_steps(site, begun)


def _write_steps(site: Site, begun: dict[str, Nest | None]) -> None:
    """The same when the first product is begun."""
    chain, count = site.chain, site.tile.count
    result = result_rows(site, chain.follow) if chain.follow else None
    if chain.pooled:
        pool(site, chain.pooled, result)
    halo, middle = halo_of(chain, site.tile), None
    if chain.expand and halo:
        middle = expand(site, chain.expand, halo, begun["expand"])
        begun["project"] = _begun(site, "project")
    if chain.window and not chain.project:
        window_to_target(site, halo, middle)
        return
    rows = windowed(site, halo, middle) if chain.window else first_rows(site, site.patch, count)

    def begin_follow() -> None:
        begun["follow"] = _begun(site, "follow")

    project(site, rows, result, begun["project"], begin_follow)
    if chain.follow and result is not None:
        follow(site, chain.follow, result, begun["follow"])


def _begun(site: Site, name: str) -> Nest | None:
    """The product of a step, if there is one and it is not read as windows of an image, begun."""
    product = getattr(site.chain, name)
    if product is None:
        return None
    if product is first_product(site.chain) and from_piece(site.chain, site.tile):
        return None
    return begin_product(site.job(name), access_of(site.chain, product))
