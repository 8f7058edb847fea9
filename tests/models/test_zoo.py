"""Names, input sizes, seeds."""

import pytest
import torch

from pipeline.errors import RequestError
from pipeline.models import InputSpec, load, names
from pipeline.models.macs import count_macs
from pipeline.models.paper import FIGURES
from pipeline.models.shufflenet import ChannelShuffle, SqueezeExcite
from pipeline.models.zoo import build

QUICK = "shufflenet-0.25x-g3"
BOTH = (QUICK, "mobilenet-0.25")


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model.module(model.example)


@pytest.mark.parametrize("name", names())
def test_every_name_builds_and_runs(name):
    with torch.device("meta"):
        module = build(name, 7).eval()
        assert module(torch.empty(2, 3, 64, 64)).shape == (2, 7)


def test_names_are_those_of_the_two_families_and_their_opponents():
    assert len(names()) == len(set(names())) == 5 * 5 * 2 * 2 + 4 + 4
    assert set(FIGURES) <= set(names())
    assert {"alexnet", "googlenet", "squeezenet-1.0", "vgg-16"} <= set(names())
    assert {"shufflenet-0.5x-g3-shallow", "shufflenet-2.0x-g3-se-shallow"} <= set(names())


@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [
        ("alexnet", 724_406_816, 60_965_224),
        ("googlenet", 1_498_376_192, 6_624_904),
        ("squeezenet-1.0", 818_924_576, 1_248_424),
        ("vgg-16", 15_470_264_320, 138_357_544),
    ],
)
def test_opponents_have_the_cost_that_the_paper_gives(name, macs, parameters):
    with torch.device("meta"):
        module = build(name).eval()
    assert count_macs(module, 224, 224) == macs
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters
    assert macs / 1e6 == pytest.approx(FIGURES[name].million_macs, rel=0.02)


def test_the_paper_counts_squeezenet_at_the_size_of_its_authors():
    with torch.device("meta"):
        module = build("squeezenet-1.0").eval()
    assert round(count_macs(module, 227, 227) / 1e6) == FIGURES["squeezenet-1.0"].million_macs


def test_suffixes_change_the_network():
    plain, squeezed, shallow = (build(f"{QUICK}{suffix}") for suffix in ("", "-se", "-shallow"))
    assert not any(isinstance(layer, SqueezeExcite) for layer in plain.modules())
    assert sum(isinstance(layer, SqueezeExcite) for layer in squeezed.modules()) == 16
    assert sum(isinstance(layer, ChannelShuffle) for layer in shallow.modules()) == 8


def test_shuffle_sends_channels_to_the_transposed_place():
    x = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert ChannelShuffle(3)(x).flatten().tolist() == [0, 2, 4, 1, 3, 5]


def test_record_of_a_model():
    model = load("shufflenet-1.0x-g3", InputSpec(batch=2))
    assert (model.macs, model.parameters) == (137_460_672, 1_865_728)
    assert (model.input_size, model.batch) == ((224, 224), 2)
    assert model.example.shape == (2, 3, 224, 224)
    assert model.example.dtype == torch.float32
    assert model.paper == FIGURES["shufflenet-1.0x-g3"]
    assert not model.module.training
    assert load(QUICK).paper is None


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("size", [(64, 64), (97, 131), (480, 640)], ids=str)
def test_any_input_size_runs(name, size):
    model = load(name, InputSpec(*size, classes=5))
    assert model.input_size == size
    assert logits(model).shape == (1, 5)


def test_multiply_adds_are_of_one_image_of_that_size():
    small, batch, large = (
        load(QUICK, InputSpec(*size)) for size in ((64, 64), (64, 64, 4), (128, 128))
    )
    classifier = 240 * 1000
    assert small.macs == batch.macs
    assert large.macs - classifier == 4 * (small.macs - classifier)


@pytest.mark.parametrize(
    "name",
    [*BOTH, f"{QUICK}-se-shallow", "shufflenet-1.0x-g8", "alexnet", "googlenet", "squeezenet-1.0"],
)
def test_seeded_logits_are_healthy_and_tell_images_apart(name):
    outputs = logits(load(name, InputSpec(128, 128, batch=8)))
    assert 0.3 < outputs.std() < 8
    assert (outputs - outputs.mean(0)).std() > 0.1
    assert outputs.argmax(1).unique().numel() > 2


@pytest.mark.parametrize("name", BOTH)
def test_seeded_statistics_are_not_trivial(name):
    state = load(name).module.state_dict()
    for part, trivial in (("mean", 0.0), ("var", 1.0), ("bn.weight", 1.0), ("bn.bias", 0.0)):
        values = torch.cat([value for key, value in state.items() if key.endswith(part)])
        assert values.isfinite().all()
        assert ((values - trivial).abs() > 0.01).float().mean() > 0.8


@pytest.mark.parametrize("name", BOTH)
def test_a_seed_gives_the_same_weights_for_any_input(name):
    first, second = load(name, seed=3), load(name, InputSpec(96, 131, batch=2), seed=3)
    other = load(name, seed=4)
    pairs = zip(
        first.module.state_dict().values(), second.module.state_dict().values(), strict=True
    )
    assert all(torch.equal(*pair) for pair in pairs)
    assert not torch.equal(first.module.output.weight, other.module.output.weight)
    assert not torch.equal(first.example, other.example)


def test_threads_do_not_change_the_seeded_weights():
    first = load(QUICK)
    torch.set_num_threads(2)
    second = load(QUICK)
    pairs = zip(
        first.module.state_dict().values(), second.module.state_dict().values(), strict=True
    )
    assert all(torch.equal(*pair) for pair in pairs)


def test_the_first_image_is_the_same_in_any_batch():
    single, batch = load(QUICK), load(QUICK, InputSpec(batch=3))
    assert torch.equal(single.example[0], batch.example[0])
    assert not torch.equal(batch.example[0], batch.example[1])


def test_the_callers_random_numbers_are_undisturbed():
    torch.manual_seed(11)
    expected = torch.rand(4)
    torch.manual_seed(11)
    load(QUICK)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("shufflenet-1x-g3", "shufflenet-1.0x-g3"),
        ("MobileNet-1.0", "mobilenet-1.0"),
        ("shufflenet-1.0x-g5", "shufflenet-1.0x-g8"),
        ("resnet\n50", "shufflenet-tvm models"),
    ],
)
def test_unknown_name_is_answered_with_the_nearest(name, nearest):
    with pytest.raises(RequestError) as caught:
        load(name)
    assert nearest in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "way_out"),
    [
        (InputSpec(height=63), "64 to 4096"),
        (InputSpec(width=4097), "64 to 4096"),
        (InputSpec(batch=0), "1 to 128"),
        (InputSpec(batch=129), "1 to 128"),
        (InputSpec(classes=0), "1 or more"),
    ],
    ids=str,
)
def test_impossible_input_is_answered_with_the_range(spec, way_out):
    with pytest.raises(RequestError, match=way_out):
        load(QUICK, spec)
