"""Fits the tensors of a file to a network."""

from pathlib import Path

import torch
from torch import nn

from pipeline.errors import RequestError
from pipeline.models.checkpoint import Tensors, read_checkpoint

# Batch normalisation's count of training steps: inference does not read it, and not every
# framework writes it.
STEP_COUNT = "num_batches_tracked"
# Last parts of the names that torch gives; a file with others is matched by shape alone.
KINDS = ("weight", "bias", "running_mean", "running_var")


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill `module` from a .safetensors, .pth or .pt file; numbers become float32.

    Tensors are matched by name. Where the file has other names, they are matched in order: the
    n-th tensor of the file is the n-th of the network, of the same kind and shape. What a network
    names as `training_only` is left out. RequestError names the first tensor that does not fit, and
    `module` is left as it was.
    """
    wanted = _without_step_counts(module.state_dict())
    unused = getattr(module, "training_only", ())
    found = {
        name: tensor
        for name, tensor in _without_step_counts(read_checkpoint(path)).items()
        if not name.startswith(tuple(unused))
    }
    pairs = _matched(wanted, found, path)
    for name, source in pairs.items():
        _check_fit(path, (name, wanted[name]), (source, found[source]))
    for name, source in pairs.items():
        wanted[name].copy_(found[source])
    for name, buffer in module.named_buffers():
        if name.endswith(STEP_COUNT):
            buffer.zero_()


def _without_step_counts(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(STEP_COUNT)}


def _matched(wanted: Tensors, found: Tensors, path: Path) -> dict[str, str]:
    """For each name of the network the name in the file."""
    if wanted.keys() == found.keys():
        return {name: name for name in wanted}
    if len(wanted) != len(found):
        raise RequestError(_other_count(wanted, found, path))
    if path.suffix == ".safetensors":
        name = next(name for name in wanted if name not in found)
        raise RequestError(
            f"{path} has no tensor {name}, and a .safetensors file keeps no order to match other "
            "names by; save the state dict as .pth"
        )
    return dict(zip(wanted, found, strict=True))


def _other_count(wanted: Tensors, found: Tensors, path: Path) -> str:
    missing = [f"misses {name} {_shape(wanted[name])}" for name in wanted if name not in found]
    excess = [f"has {name} {_shape(found[name])} besides" for name in found if name not in wanted]
    return (
        f"{path} {' and '.join(missing[:1] + excess[:1])}: it holds {len(found)} tensors where the "
        f"network has {len(wanted)}; give weights of this network"
    )


def _check_fit(
    path: Path, wanted: tuple[str, torch.Tensor], found: tuple[str, torch.Tensor]
) -> None:
    """RequestError unless the tensor `found` (name, values) can take the place of `wanted`."""
    (name, place), (source, tensor) = wanted, found
    if tensor.shape != place.shape or not _same_kind(name, source):
        raise RequestError(
            f"{path}: {source} does not fit: {name} needs shape {_shape(place)}, "
            f"found {source} with {_shape(tensor)}; give weights of this network"
        )
    if not tensor.is_floating_point() or not tensor.isfinite().all():
        raise RequestError(
            f"{path}: {source} holds {tensor.dtype} or values that are not finite; "
            "give finite floating-point weights"
        )


def _same_kind(name: str, source: str) -> bool:
    kind = source.rpartition(".")[2]
    return kind not in KINDS or kind == name.rpartition(".")[2]


def _shape(tensor: torch.Tensor) -> list[int]:
    return list(tensor.shape)
