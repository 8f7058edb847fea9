"""Tunes a model with MetaSchedule's own search space; runs in a process of its own.

    python -m pipeline.engines.metaschedule '{"model": ..., "target": ..., "folder": ...}' TRIALS

What it finds goes to the database in `folder`. Importing what the search needs takes half a minute,
and leaves pools of processes behind: so it is apart from the process that is timed.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import tvm
from tvm import relax
from tvm.relax import transform

from pipeline.frontend import import_model
from pipeline.models import InputSpec, load
from pipeline.targets import target_named

WORKLOADS, RECORDS = "database_workload.json", "database_tuning_record.json"
SEED = 0
# Candidates of a task that are measured before the next choice of a task, at most: TVM's default.
LONGEST_STEP = 64
# TVM's steps before a module is tuned: as its own pipeline for tuning has them, and batch
# normalisation into the weights. Weights are marked as free to be laid out anew.
BEFORE = tvm.transform.Sequential(
    [
        transform.FoldBatchnormToConv2D(),
        transform.DecomposeOpsForInference(),
        transform.CanonicalizeBindings(),
        transform.FoldConstant(),
        relax.get_pipeline("zero"),
        transform.AttachAttrLayoutFreeBuffers(),
    ]
)


def tuned_module(module: tvm.IRModule, target: Any, folder: str) -> tvm.IRModule:
    """The module with the best schedule of each task, and its weights packed for them."""
    with target:
        after: tvm.IRModule = tvm.transform.Sequential(
            [
                transform.MetaScheduleApplyDatabase(folder),
                transform.SplitLayoutRewritePreproc(),
                transform.FoldConstant(),
            ]
        )(module)
    return after


def lean_build(mod: tvm.IRModule, target: Any, _: Any) -> Any:
    """What a build needs, without the intrinsics whose import takes half a minute a process."""
    import tvm
    from tvm.s_tir.transform import RemoveWeightLayoutRewriteBlock

    # A candidate is timed on weights that are laid out already.
    mod = RemoveWeightLayoutRewriteBlock(skip_tensor_rewrite=True)(mod)
    return tvm.compile(mod, target=target).mod


def tune(source: dict[str, Any], trials: int) -> None:
    """Measure so many candidates more, every task's first ones before the second of any."""
    from tvm.s_tir import meta_schedule as ms

    weights = Path(source["weights"]) if source["weights"] else None
    model = load(source["model"], InputSpec(**source["spec"]), weights, source["seed"])
    target = target_named(source["target"]).tvm
    module = BEFORE(import_model(model.module, model.example))
    tasks = ms.relax_integration.extract_tasks(module, target, {})
    with target:
        ms.relax_integration.tune_relax(
            module,
            params={},
            target=target,
            work_dir=source["folder"],
            max_trials_global=trials,
            num_trials_per_iter=min(max(trials // len(tasks), 1), LONGEST_STEP),
            builder=ms.builder.LocalBuilder(f_build=lean_build),
            seed=SEED,
        )


def main(request: str, trials: str) -> None:
    """Tune, and add the seconds that it took to those of earlier runs."""
    source = json.loads(request)
    log = Path(source["folder"]) / "seconds"
    before, begun = float(log.read_text()) if log.exists() else 0.0, time.monotonic()
    try:
        tune(source, int(trials))
    finally:
        log.write_text(f"{before + time.monotonic() - begun:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
