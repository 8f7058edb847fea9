"""The command line: the commands under one name, and what an error looks like."""

import sys
import warnings
from collections.abc import Callable

import typer

from pipeline.commands.ablate import ablate
from pipeline.commands.accuracy import accuracy
from pipeline.commands.analyze import analyze
from pipeline.commands.bench import bench
from pipeline.commands.compare import compare
from pipeline.commands.compile import compile_
from pipeline.commands.doctor import doctor
from pipeline.commands.logs import logs
from pipeline.commands.models import models
from pipeline.commands.profile import profile
from pipeline.commands.report import report
from pipeline.commands.rpc import rpc
from pipeline.commands.targets import targets
from pipeline.commands.tune import tune
from pipeline.commands.verify import verify
from pipeline.errors import RequestError, WorkFailedError

app = typer.Typer(
    name="shufflenet-tvm",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""ShuffleNet and MobileNet, compiled and tuned with TVM.

    \b
      shufflenet-tvm doctor
      shufflenet-tvm compile shufflenet-1.0x-g3 --out bundle
      shufflenet-tvm bench shufflenet-1.0x-g3 mobilenet-1.0 --threads 1,2

    COMMAND --help has more examples.""",
)
COMMANDS: dict[str, Callable[..., None]] = {
    "models": models,
    "targets": targets,
    "doctor": doctor,
    "tune": tune,
    "compile": compile_,
    "bench": bench,
    "profile": profile,
    "ablate": ablate,
    "verify": verify,
    "analyze": analyze,
    "accuracy": accuracy,
    "report": report,
    "compare": compare,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(rpc, name="rpc")
app.add_typer(logs, name="logs")


def main() -> None:
    """Run the command; the exit status is 0 for done, 1 for failed work, 2 for a wrong request."""
    # Libraries warn of matters of their own; what a user can act on is an error.
    warnings.simplefilter("ignore")
    words = sys.argv[1:] or ["--help"]
    sys.exit(status_of(lambda: app(words, prog_name="shufflenet-tvm", standalone_mode=False)))


def status_of(command: Callable[[], object]) -> int:
    """Run a command; what goes wrong for a reason that its user can act on is one line."""
    try:
        returned = command()
    except (RequestError, typer.TyperException) as error:
        return _fail(_message(error), 2)
    except (WorkFailedError, OSError) as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    return returned if isinstance(returned, int) else 0


def _message(error: Exception) -> str:
    """What is wrong; of a usage error with the name of the option."""
    describe = getattr(error, "format_message", None)
    return str(describe() if describe else error)


def _fail(message: str, status: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
