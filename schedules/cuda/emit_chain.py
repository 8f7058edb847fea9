"""Writing the kernel of a chain. See `chain.py` for its nest."""

from tvm.tirx import PrimFunc

from schedules.cuda.block import grid
from schedules.cuda.chain import Chain, Tile, slices
from schedules.cuda.chain_products import follow, project, result_rows
from schedules.cuda.chain_rows import expand, first_rows
from schedules.cuda.chain_windows import pool, window_to_target, windowed
from schedules.cuda.shared import halo_of, patch_of
from schedules.cuda.site import Site
from schedules.frame import Frame, Planes
from schedules.program import prim_func, tensor


def tensor_shape(frame: Frame | Planes) -> tuple[int, ...]:
    """Images as they are handed in; activations as [pixels, channels]."""
    return frame.shape if isinstance(frame, Planes) else (frame.pixels, frame.channels)


def inputs(chain: Chain) -> dict[str, tuple[int, ...]]:
    """The activations that a chain reads, by role."""
    shapes = {"data": tensor_shape(chain.source)}
    if chain.residual:
        shapes["residual"] = tensor_shape(chain.target)
    if chain.pooled:
        shapes["pooled"] = tensor_shape(chain.pooled)
    return shapes


def constants(chain: Chain) -> dict[str, tuple[int, ...]]:
    """The packed constants of a chain, by step and role."""
    steps = {"expand": chain.expand, "project": chain.project, "follow": chain.follow}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, product in steps.items():
        if product:
            shapes |= {f"{name}_{role}": shape for role, shape in product.weight_shapes.items()}
    if chain.window:
        places = chain.groups * chain.windowed
        made = chain.window.constants(places)
        shapes |= {f"window_{role}": shape for role, shape in made.items()}
    return shapes


def outputs(chain: Chain) -> dict[str, tuple[int, ...]]:
    """The activations that a chain writes, by role."""
    own = chain.order.places if chain.order and not chain.follow else chain.target.channels
    rows = chain.target.images if chain.mean else chain.target.pixels
    shapes: dict[str, tuple[int, ...]] = {"out": (rows, own)}
    if chain.follow:
        shapes["after"] = (chain.target.pixels, chain.after)
    return shapes


def program(chain: Chain, tile: Tile) -> PrimFunc:
    """The kernel of a chain: inputs, constants, outputs, in the order of the above."""
    with prim_func("main") as builder:
        shapes = {**inputs(chain), **constants(chain), **outputs(chain)}
        tensors = {name: tensor(name, shape) for name, shape in shapes.items()}
        patch = patch_of(chain, tile)
        with grid(patch.tiles, slices(chain, tile) * tile.parts, tile.threads) as block:
            _write(Site(chain, tile, block, patch, tensors))
    return builder.get()


def _write(site: Site) -> None:
    """All steps that the chain has."""
    chain, count = site.chain, site.tile.count
    result = result_rows(site) if chain.follow else None
    if chain.pooled:
        pool(site, chain.pooled, result)
    halo = halo_of(chain, site.tile)
    middle = expand(site, chain.expand, halo) if chain.expand and halo else None
    if chain.window and not chain.project:
        window_to_target(site, halo, middle)
        return
    rows = windowed(site, halo, middle) if chain.window else first_rows(site, site.patch, count)
    project(site, rows, result)
    if chain.follow:
        follow(site, chain.follow, result)
