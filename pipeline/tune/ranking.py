"""Which candidates to measure next: MetaSchedule's XGBoost cost model ranks those not measured.

MetaSchedule's own evolutionary search does not serve here: its mutators leave a sampled choice
alone, and it may stop or repeat itself in a space that is smaller than its population.
"""

from collections.abc import Sequence

from tvm import IRModule
from tvm.s_tir import Schedule
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule import _ffi_api
from tvm.target import Target as TvmTarget
from tvm.tirx import PrimFunc

# What the model is told of a candidate that failed.
NEVER = 1e10


class Context(ms.TuneContext):  # type: ignore[misc]
    """A tuning context without the tensor intrinsics, whose import takes half a minute."""

    def __init__(self, mod: IRModule, target: TvmTarget) -> None:
        self.__init_handle_by_constructor__(
            _ffi_api.TuneContext, mod, target, None, None, "main", 1, 1, None
        )


class Ranking:
    """A cost model for the candidates of one program, trained on what was measured of it."""

    def __init__(self, program: PrimFunc, target: TvmTarget, seed: int) -> None:
        self._context = Context(IRModule({"main": program}), target)
        self._model = ms.cost_model.XGBModel(
            config=ms.cost_model.xgb_model.XGBConfig(seed=seed, nthread=1),
            num_warmup_samples=1,
            verbose_eval=0,
        )

    def learn(self, schedules: Sequence[Schedule], seconds: Sequence[float | None]) -> None:
        """Train on measured candidates; None is a failure."""
        results = [ms.runner.RunnerResult([NEVER if s is None else s], None) for s in seconds]
        self._model.update(self._context, _candidates(schedules), results)

    def scores(self, schedules: Sequence[Schedule]) -> list[float]:
        """The higher, the faster; of use once something was learnt."""
        predicted = self._model.predict(self._context, _candidates(schedules))
        return [float(score) for score in predicted]


def _candidates(schedules: Sequence[Schedule]) -> list[ms.MeasureCandidate]:
    return [ms.MeasureCandidate(schedule, []) for schedule in schedules]
