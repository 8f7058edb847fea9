"""What every step of a chain is written with."""

from dataclasses import dataclass
from typing import Any

from schedules.cuda.block import Block
from schedules.cuda.chain import Chain, Tile
from schedules.cuda.extent import count_of, groups_of, vectors_of
from schedules.cuda.patch import Line, Square
from schedules.cuda.product import Job, Product, Share
from schedules.program import Tensors

Patch = Line | Square


@dataclass(frozen=True)
class Site:
    """Where a chain is written: its block, the patch that the block covers, and all tensors."""

    chain: Chain
    tile: Tile
    block: Block
    patch: Patch
    tensors: Tensors

    @property
    def slice(self) -> Any:
        """The slice of the channels."""
        return self.block.slice // self.tile.parts if self.tile.parts > 1 else self.block.slice

    @property
    def part(self) -> Any:
        """The part of each group's outputs."""
        return self.block.slice % self.tile.parts if self.tile.parts > 1 else 0

    def share(self, product: Product) -> Share:
        """What the block makes of a product."""
        groups = groups_of(self.chain, product, self.tile)
        vectors = vectors_of(self.chain, product, self.tile)
        start = self.part * vectors if product is self.chain.project else 0
        first = self.slice * groups
        return Share(first, groups, start, vectors, self.tile.pixels, self.tile.splits)

    def role(self, name: str) -> dict[str, Any]:
        """The constants of a step."""
        prefix = f"{name}_"
        found = {key: self.tensors[key] for key in self.tensors if key.startswith(prefix)}
        return {key.removeprefix(prefix): value for key, value in found.items()}

    def job(self, name: str) -> Job:
        """The block's part of the product of a step."""
        product = getattr(self.chain, name)
        count = count_of(self.chain, product, self.tile)
        return Job(name, self.block, product, self.share(product), count, self.role(name))

    def pixel(self, index: Any) -> Any:
        """A pixel of the block."""
        return self.patch.pixel(self.block.tile, index)
