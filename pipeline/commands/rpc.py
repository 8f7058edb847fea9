"""Devices over RPC: the tracker that knows them, the server that each runs, and a list of them."""

from typing import Annotated

import typer

from pipeline import arguments as a
from pipeline.commands.screen import print_rows, progress

TRACKER = "127.0.0.1:9190"
LOCALHOST = "127.0.0.1"
Host = Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")]
Port = Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="Port to listen on.")]
Tracker = Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the tracker listens.")]
Key = Annotated[str, typer.Option(metavar="KEY", help="A name for this kind of device.")]
Mask = Annotated[str | None, typer.Option("--cores", metavar="MASK", help="Cores, as in 0xf0.")]

rpc = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="""Devices over RPC: a tracker, servers, and what there is.

    Whoever reaches a port of these can run any code there: they listen on 127.0.0.1 unless told
    otherwise. Reach a phone through adb, and a board through an SSH tunnel.""",
)


@rpc.command()
def tracker(host: Host = LOCALHOST, port: Port = 9190) -> None:
    """Keep a list of devices; run it on the machine that compiles.

    \b
    shufflenet-tvm rpc tracker
    """
    from pipeline.devices.serving import run_tracker

    run_tracker(host, port, progress.print)


@rpc.command()
def server(
    key: Key,
    tracker: Tracker = TRACKER,
    host: Host = LOCALHOST,
    port: Port = 9090,
    cores: Mask = None,
) -> None:
    """Run what others send; run it on the device.

    \b
    shufflenet-tvm rpc server --key pi
    shufflenet-tvm rpc server --key big --port 9091 --cores 0xf0
    """
    from pipeline.devices.address import parse_tracker
    from pipeline.devices.cores import parse_mask
    from pipeline.devices.serving import Place, run_server

    mask = () if cores is None else parse_mask(cores)
    run_server(Place(host, port, parse_tracker(tracker), key, mask), progress.print)


@rpc.command()
def devices(tracker: Tracker = TRACKER, as_json: a.AsJson = False) -> None:
    """List what is there, whether it is free, and which CPU it is.

    \b
    shufflenet-tvm rpc devices
    shufflenet-tvm rpc devices --tracker 127.0.0.1:9190 --json
    """
    from pipeline.devices.address import parse_tracker
    from pipeline.devices.listing import list_devices

    print_rows(list_devices(parse_tracker(tracker)), as_json)
