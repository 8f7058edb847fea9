"""A TOML file in place of a long command.

    models = ["shufflenet-1.0x-g3", "mobilenet-1.0"]
    threads = [1, 2]
    peers = ["onnxruntime", "openvino"]
    json = "results.json"

Keys are the names of the command's options; what the command line says too counts instead.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.errors import RequestError

# What a command takes without an option's name.
POSITIONAL = "models"


def _read(context: typer.Context, path: Path | None) -> Path | None:
    """Make the file's values the command's defaults."""
    if path is not None and not context.resilient_parsing:
        context.default_map = _defaults(path, _keys(context), str(context.info_name))
    return path


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE.toml", help="Options from a file.", is_eager=True, callback=_read
    ),
]


def _keys(context: typer.Context) -> dict[str, Any]:
    """The parameters by what they are called in a file."""
    keys = {}
    for parameter in context.command.params:
        named = parameter.param_type_name == "option"
        name = parameter.opts[0].removeprefix("--") if named else POSITIONAL
        if name not in ("help", "config"):
            keys[name] = parameter
    return keys


def _defaults(path: Path, keys: dict[str, Any], command: str) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RequestError(f"cannot read options from {path}: {error}") from error
    defaults = {}
    for name, value in content.items():
        if name not in keys:
            raise RequestError(
                f"{path}: {command} has no option {name!r}; known: {', '.join(keys)}"
            )
        defaults[keys[name].name] = _value(path, name, value, keys[name])
    return defaults


def _value(path: Path, name: str, value: object, parameter: Any) -> object:
    """A value as the command line would give it."""
    if isinstance(value, dict):
        raise RequestError(f"{path}: {name} is a table; give a value, or a list")
    if parameter.nargs == -1 or getattr(parameter, "multiple", False):
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):
        return ",".join(map(str, value))
    if getattr(parameter, "is_flag", False) and not isinstance(value, bool):
        raise RequestError(f"{path}: {name} is true or false, not {value!r}")
    return value
