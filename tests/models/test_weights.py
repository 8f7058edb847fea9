"""Loading weights from files: what fits, and what is said of what does not."""

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import RequestError
from pipeline.models import InputSpec, load, load_weights
from pipeline.models.zoo import build

NAME = "shufflenet-0.25x-g3"
SMALL = InputSpec(64, 64)
FIRST = "features.init_block.conv.weight"


@pytest.fixture(scope="module")
def trained():
    """A network with other weights than the default ones."""
    return load(NAME, SMALL, seed=9)


@pytest.fixture
def state(trained):
    return dict(trained.module.state_dict())


def renamed(state):
    return {
        f"{index}.{name.rpartition('.')[2]}": t for index, (name, t) in enumerate(state.items())
    }


def without_step_counts(state):
    return {name: t for name, t in state.items() if not name.endswith("num_batches_tracked")}


def assert_loads(path, trained):
    module = load(NAME, SMALL, weights=path).module
    with torch.no_grad():
        assert torch.equal(module(trained.example), trained.module(trained.example))


WRAPPINGS = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {}},
    "model": lambda state: {"model": state},
    "parallel": lambda state: {f"module.{name}": t for name, t in state.items()},
    "other names": renamed,
    "other names, no step counts": lambda state: renamed(without_step_counts(state)),
    "other kinds of names": lambda s: {f"t{i}": t for i, t in enumerate(s.values()) if t.ndim},
    "double": lambda state: {name: t.double() for name, t in state.items()},
    "reversed": lambda state: dict(reversed(state.items())),
}


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_torch_checkpoints_load(wrapping, suffix, tmp_path, state, trained):
    path = tmp_path / f"weights{suffix}"
    torch.save(WRAPPINGS[wrapping](state), path)
    assert_loads(path, trained)


@pytest.mark.parametrize("wrapping", ["plain", "parallel"])
def test_safetensors_load(wrapping, tmp_path, state, trained):
    path = tmp_path / "weights.safetensors"
    save_file(WRAPPINGS[wrapping](state), path)
    assert_loads(path, trained)


class Hostile:
    """Unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def write_pickle(value, path):
    path.write_bytes(pickle.dumps(value, protocol=2))


@pytest.mark.parametrize("write", [torch.save, write_pickle])
def test_code_in_a_pickle_is_refused_and_not_run(write, tmp_path, state):
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    write({**state, "extra": Hostile(trace)}, path)
    with pytest.raises(RequestError, match=r"was not run.*safetensors"):
        load(NAME, SMALL, weights=path)
    assert not trace.exists()


def refusal(module, path) -> str:
    """What load_weights says; `module` must stay as it was."""
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(RequestError) as caught:
        load_weights(module, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def swapped_kinds(state):
    """Shift takes the place of scale, whose shape is the same."""
    swap = {"weight": "bias", "bias": "weight"}
    parts = [name.rpartition(".") for name in renamed(state)]
    names = [head + dot + swap.get(kind, kind) for head, dot, kind in parts]
    return dict(zip(names, state.values(), strict=True))


def without_first(state):
    return {name: tensor for name, tensor in state.items() if name != FIRST}


def short_bias(state):
    return {**state, "output.bias": torch.zeros(9)}


# What is done to a good state dict, and parts of what is said of the outcome.
FAULTS = {
    "shape": (short_bias, ["output.bias", "[1000]", "[9]"]),
    "shape by order": (lambda s: renamed(short_bias(s)), ["output.bias", "[1000]", "[9]"]),
    "missing": (without_first, ["misses", FIRST, "[6, 3, 3, 3]"]),
    "besides": (lambda s: {**s, "more": torch.zeros(2)}, ["has more [2] besides"]),
    "swapped kinds": (swapped_kinds, [FIRST, "0.bias does not fit"]),
    "not finite": (lambda s: {**s, FIRST: s[FIRST] * torch.nan}, [FIRST, "not finite"]),
    "integers": (lambda s: {**s, FIRST: s[FIRST].int()}, [FIRST, "torch.int32"]),
    "no tensors": (lambda s: {"epoch": 3}, ["state_dict()"]),
    "a list": (lambda s: list(s.values()), ["state_dict()"]),
    "empty": (lambda s: {}, ["misses", FIRST]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_checkpoint_that_does_not_fit_is_refused(fault, tmp_path, state):
    damage, said = FAULTS[fault]
    path = tmp_path / "weights.pth"
    torch.save(damage(state), path)
    message = refusal(load(NAME, SMALL).module, path)
    assert [part for part in said if part not in message] == []


def test_weights_of_another_width_are_refused_by_shape(tmp_path, trained):
    path = tmp_path / "weights.safetensors"
    save_file(load("shufflenet-0.5x-g3", SMALL).module.state_dict(), path)
    message = refusal(trained.module, path)
    assert f"{FIRST} needs shape [6, 3, 3, 3], found {FIRST} with [12, 3, 3, 3]" in message


def test_safetensors_of_other_names_are_refused_for_want_of_order(tmp_path, state, trained):
    path = tmp_path / "weights.safetensors"
    save_file(renamed(state), path)
    assert "save the state dict as .pth" in refusal(trained.module, path)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@pytest.mark.parametrize("content", ["empty", "text", "cut"])
def test_a_damaged_file_is_refused(suffix, content, tmp_path, state, trained):
    path = tmp_path / f"weights{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(state, path)
    whole = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "text": b"hello\nworld", "cut": whole[: len(whole) // 2]}[content]
    )
    assert str(path) in refusal(trained.module, path)


@pytest.mark.parametrize(
    ("file", "way_out"),
    [("missing.pth", "give the path"), ("", "give the path"), ("weights.onnx", "use .safetensors")],
)
def test_a_path_without_weights_is_refused(file, way_out, tmp_path, trained):
    (tmp_path / "weights.onnx").write_bytes(b"")
    assert way_out in refusal(trained.module, tmp_path / file)


def test_classifiers_that_serve_training_only_are_left_out(tmp_path):
    made = load("googlenet", InputSpec(64, 64, classes=3), seed=9)
    state = dict(made.module.state_dict())
    extra = {f"aux{number}.fc2.bias": torch.zeros(3) for number in (1, 2)}
    torch.save(state | extra, tmp_path / "w.pth")
    again = load("googlenet", InputSpec(64, 64, classes=3), weights=tmp_path / "w.pth").module
    found = without_step_counts(again.state_dict())
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.items())


@pytest.mark.parametrize(
    ("name", "tensors"),
    [
        ("vgg-16", {"features.0.weight": [64, 3, 3, 3], "classifier.6.bias": [1000]}),
        ("squeezenet-1.0", {"features.12.expand3x3.weight": [256, 64, 3, 3]}),
        ("googlenet", {"inception4e.branch3.1.bn.running_var": [128], "fc.weight": [1000, 1024]}),
        ("alexnet", {"features.3.weight": [256, 48, 5, 5], "classifier.1.weight": [4096, 9216]}),
    ],
)
def test_tensors_have_the_names_that_torchvision_gives(name, tensors):
    with torch.device("meta"):
        state = build(name).state_dict()
    assert {key: list(state[key].shape) for key in tensors} == tensors
