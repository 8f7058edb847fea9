"""Running Relax modules and looking into them."""

import copy
from collections import Counter

import numpy as np
import torch
import tvm
from tvm import relax

# Of the largest value: float32 carries 7 digits and a fold reorders sums of at most a few hundred.
TOLERANCE = 1e-5


class Apply(torch.nn.Module):
    """Any function of one tensor as a module, with the submodules that it uses."""

    def __init__(self, function, *submodules):
        super().__init__()
        self.function = function
        self.submodules = torch.nn.ModuleList(submodules)

    def forward(self, x):
        return self.function(x, *self.submodules)


def bindings(mod):
    """All bindings of `main`, in order."""
    return [binding for block in mod["main"].body.blocks for binding in block.bindings]


def calls(mod, name=None):
    """All operator calls of `main`, in order; only those of `relax.<name>` if given."""
    values = [binding.value for binding in bindings(mod)]
    found = [value for value in values if isinstance(value, relax.Call)]
    return [call for call in found if name in (None, operator(call))]


def operator(call):
    return call.op.name.removeprefix("relax.")


def operators(mod):
    """How often each operator is called."""
    return Counter(operator(call) for call in calls(mod))


def users(mod, call):
    """The calls that read what `call` computes."""
    (variable,) = [b.var for b in bindings(mod) if b.value.same_as(call)]
    return [
        other for other in calls(mod) if any(v.same_as(variable) for v in variables_read(other))
    ]


def variables_read(call):
    return relax.analysis.free_vars(call)


def run(mod, example):
    executable = relax.build(mod, "llvm")
    machine = relax.VirtualMachine(executable, tvm.cpu())
    return machine["main"](tvm.runtime.tensor(example.numpy())).numpy()


def assert_computes(mod, module, example, tolerance=TOLERANCE):
    """That `mod` is well formed and gives what torch gives in double precision."""
    relax.analysis.well_formed(mod)
    exact = copy.deepcopy(module).eval().double()
    with torch.no_grad():
        expected = exact(example.double()).numpy()
    error = np.abs(run(mod, example) - expected).max() / np.abs(expected).max()
    assert error < tolerance


def randomised(module, seed=0):
    """`module` with random numbers in everything that it learns, variances positive."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return module.eval()


def random_image(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
