"""Writing a product by lanes or by matrices."""

from schedules.cuda.product import Job, Rows, Store
from schedules.cuda.product_lanes import emit_by_lanes
from schedules.cuda.product_matrices import emit_by_matrices


def emit_product(job: Job, rows: Rows, store: Store) -> None:
    """Writes the product of a block on the units that it is meant for."""
    (emit_by_matrices if job.product.matrices else emit_by_lanes)(job, rows, store)
