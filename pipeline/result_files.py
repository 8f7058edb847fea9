"""Writing and reading what is measured, as whole files."""

import json
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from pipeline.errors import RequestError
from pipeline.results import Record, ResultFile


def write_results(file: Record, path: Path) -> None:
    """Write all of `file` or nothing: a reader never sees half a file."""
    write_text(file.model_dump_json(indent=1) + "\n", path)


def write_json(value: object, path: Path) -> None:
    """The same of plain data."""
    write_text(json.dumps(value) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """The same of text."""
    if not path.parent.is_dir():
        raise RequestError(f"no folder {path.parent} to write {path.name} to; make it first")
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


def read_results(path: Path) -> ResultFile:
    """The content of a result file; RequestError names the first thing that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            f"cannot read results from {path} ({error}); make a result file with: "
            f"shufflenet-tvm bench MODEL --json {path}"
        ) from error
    try:
        return ResultFile.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise RequestError(
            f"{path} is no result file: {place}: {fault['msg']}; make a new one with: "
            f"shufflenet-tvm bench MODEL --json {path}"
        ) from error
