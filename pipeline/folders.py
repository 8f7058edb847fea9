"""Putting a folder in its place whole or not at all."""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import RequestError
from pipeline.manifest import MANIFEST, read_manifest

# Of <fcntl.h> and <linux/fs.h>: paths are relative to the working folder; swap the two.
AT_FDCWD = -100
RENAME_EXCHANGE = 2


def check_place(folder: Path) -> None:
    """RequestError unless a bundle can be put there without loss: nothing there, or a bundle."""
    parent = folder.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RequestError(f"no folder {parent} that can be written to; make it first")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RequestError(f"{folder} is a file; give the name of a folder to make")
    if folder.is_dir() and any(folder.iterdir()):
        _check_bundle(folder)


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `folder` unless an exception is raised."""
    place = folder.absolute()
    draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
        yield draft
        draft.chmod(0o755)
        if place.exists():
            _swap(draft, place)
        else:
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check_bundle(folder: Path) -> None:
    """RequestError if there is anything that does not belong to a bundle."""
    try:
        known = {MANIFEST, *read_manifest(folder).files}
    except RequestError as error:
        raise RequestError(
            f"{folder} holds something else than a bundle; give another folder, or empty it"
        ) from error
    others = sorted({path.name for path in folder.iterdir()} - known)
    if others:
        raise RequestError(f"{folder} holds {others[0]} besides a bundle; move it away first")


def _swap(draft: Path, place: Path) -> None:
    """Exchange two folders at once, or one after the other where the file system cannot."""
    names = os.fsencode(draft), os.fsencode(place)
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    if exchange and not exchange(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE):
        return
    aside = draft.with_name(f"{draft.name}.old")
    place.rename(aside)
    draft.rename(place)
    shutil.rmtree(aside)
