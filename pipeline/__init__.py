"""From a PyTorch model to a number on a phone.

    from pipeline import InputSpec, build, export, load, read_records, target_named

    model = load("shufflenet-1.0x-g3", InputSpec(224, 224))
    target = target_named("host")
    built = build(model, target, read_records(Path("tuning_logs"), target.family))
    bundle = export(built, model, target, Path("bundle"))

Each name is imported when it is first asked for: TVM and PyTorch take seconds to load, and a
process that runs a bundle needs neither PyTorch nor the compiler's passes.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.build import Built, build, lower
    from pipeline.bundle import Bundle, read_bundle, verify
    from pipeline.contest import Conditions, contest
    from pipeline.errors import RequestError, WorkFailedError
    from pipeline.export import export
    from pipeline.models import InputSpec, Model, load, names
    from pipeline.records import Records, read_records
    from pipeline.subject import Subject
    from pipeline.targets import Target, target_named
    from pipeline.tuning import Budget, Options, tune

__all__ = [
    "Budget",
    "Built",
    "Bundle",
    "Conditions",
    "InputSpec",
    "Model",
    "Options",
    "Records",
    "RequestError",
    "Subject",
    "Target",
    "WorkFailedError",
    "build",
    "contest",
    "export",
    "load",
    "lower",
    "names",
    "read_bundle",
    "read_records",
    "target_named",
    "tune",
    "verify",
]
NAMES = {
    "build": ("Built", "build", "lower"),
    "bundle": ("Bundle", "read_bundle", "verify"),
    "contest": ("Conditions", "contest"),
    "errors": ("RequestError", "WorkFailedError"),
    "export": ("export",),
    "models": ("InputSpec", "Model", "load", "names"),
    "records": ("Records", "read_records"),
    "subject": ("Subject",),
    "targets": ("Target", "target_named"),
    "tuning": ("Budget", "Options", "tune"),
}
PLACES = {name: module for module, names in NAMES.items() for name in names}


class _Package(ModuleType):
    """Keeps `build` the function: importing a submodule would bind its module to that name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def __getattr__(name: str) -> object:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *PLACES])


sys.modules[__name__].__class__ = _Package
