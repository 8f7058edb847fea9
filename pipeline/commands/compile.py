"""Compile a model to a bundle."""

from dataclasses import replace

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.config import Config
from pipeline.commands.recipe import compile_recipe, recipe_of


def compile_(
    model: a.Model,
    out: a.Out,
    target: a.TargetName = "host",
    input_size: a.Size = "224x224",
    batch: a.Batch = 1,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
    system: a.System = "linux",
    dtype: a.Dtype = "float32",
    linker: a.Linker = None,
    dump_ir: a.DumpIr = None,
    strict: a.Strict = False,
    cuda_compiler: a.CudaCompiler = "auto",
    config: Config = None,
) -> None:
    """Compile a model to a bundle: a folder that TVM's runtime alone can run.

    \b
    shufflenet-tvm compile shufflenet-1.0x-g3 --out bundle
    shufflenet-tvm compile shufflenet-1.0x-g3 --target x86-64-v3 --out server
    shufflenet-tvm compile shufflenet-1.0x-g3 --target cortex-a76 --os android --out phone
    shufflenet-tvm compile shufflenet-1.0x-g3 --target cortex-a76 --dtype float16 --out half
    shufflenet-tvm compile shufflenet-1.0x-g3 --target a100,h100 --batch 128 --out bundle
    shufflenet-tvm compile mobilenet-0.5 --input-size 160x160 --weights mine.pth --out bundle
    """
    shape = (input_size, batch, classes)
    recipe = recipe_of(model, target, logs, shape, weights, seed, system, linker, dtype)
    recipe = replace(recipe, strict=strict, cuda_compiler=cuda_compiler)
    compile_recipe(recipe, out, options.dump_folder(dump_ir))
