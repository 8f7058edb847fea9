"""Writing a product by lanes, by matrices, or as windows of an image."""

from schedules.cuda.epilogue import Epilogue
from schedules.cuda.first_convolution import emit_first_convolution
from schedules.cuda.product import Access, Job, Meanwhile, Rows
from schedules.cuda.product_lanes import Nest, begin_by_lanes, emit_by_lanes, nest_of
from schedules.cuda.product_matrices import emit_by_matrices


def begin_product(job: Job, access: Access) -> Nest | None:
    """Begins to load what does not depend on the data that will be read by such accesses."""
    return None if job.product.matrices else begin_by_lanes(job, access)


def emit_product(
    job: Job,
    rows: Rows,
    epilogue: Epilogue,
    begun: Nest | None = None,
    meanwhile: Meanwhile = lambda: None,
) -> None:
    """Writes the product of a block on the units that it is meant for."""
    if job.product.matrices:
        emit_by_matrices(job, rows, epilogue, meanwhile)
        return
    if rows.piece is not None:
        emit_first_convolution(job, rows.piece, epilogue)
        meanwhile()
        return
    nest = begun or nest_of(job, rows.access)
    if nest.access != rows.access:
        raise ValueError(f"{job.name} was begun for {nest.access} and reads by {rows.access}")
    emit_by_lanes(job, rows, epilogue, nest, meanwhile)
