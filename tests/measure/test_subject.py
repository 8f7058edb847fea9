"""How many inputs engines are compared on."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.subject import Subject


@pytest.mark.parametrize(("batch", "count"), [(1, 8), (4, 2), (128, 2)])
def test_eight_images_in_two_inputs_at_least(batch: int, count: int) -> None:
    model = SimpleNamespace(example=torch.zeros(batch, 3, 4, 4), batch=batch)
    images = Subject.images(SimpleNamespace(model=model, seed=0))  # type: ignore[arg-type]
    assert [image.shape for image in images] == [(batch, 3, 4, 4)] * count
    assert not np.array_equal(images[0], images[1])
