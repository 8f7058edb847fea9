"""From the plain data by which a record is found back to the kernel that it describes."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pipeline.records import canonical
from schedules.cuda.chain import PRODUCTS, Chain
from schedules.cuda.mean import Mean
from schedules.cuda.operators import Work
from schedules.cuda.order import Order
from schedules.cuda.product import Product
from schedules.cuda.scale import Scale
from schedules.cuda.window import Window
from schedules.frame import Frame, Planes

KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Chain, Mean, Scale)}
PARTS = {
    **dict.fromkeys(("target", "middle", "pooled"), Frame), **dict.fromkeys(PRODUCTS, Product),
    "window": Window, "pool": Window, "order": Order,
}  # fmt: skip


def work_of(workload: Mapping[str, Any]) -> Work | None:
    """The kernel; None for what the schedules, as they are, have no kernel for."""
    return _work(canonical(dict(workload)))


@lru_cache(maxsize=4096)
def _work(text: str) -> Work | None:
    fields = json.loads(text)
    kind = KINDS.get(fields.pop("operator", ""))
    if kind is None:
        return None
    try:
        made: Work = kind(**{name: _part(name, value) for name, value in fields.items()})
    except TypeError:
        # It was written down by schedules whose kernels had other fields.
        return None
    return made


def _part(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, dict):
        return value
    if name == "source":
        return (Planes if "planes" in value else Frame)(**value)
    part = PARTS.get(name)
    return part(**value) if part else value
