"""What is behind a tracker: keys, addresses, whether free, and which CPU."""

from typing import Any

from pipeline.devices.address import RpcAddress, Tracker
from pipeline.devices.deadline import within
from pipeline.devices.facts import read_facts
from pipeline.devices.session import connect
from pipeline.devices.tracker import registered
from pipeline.errors import RequestError, WorkFailedError

ASK_SECONDS = 20.0


def list_devices(tracker: Tracker) -> list[dict[str, Any]]:
    """A row for each key; a device that is free is asked what it is."""
    return [
        {
            "key": one.key,
            "devices": len(one.addresses),
            "free": one.free,
            "addresses": ", ".join(one.addresses),
            "cpu": _cpu(RpcAddress(tracker, one.key)) if one.free else "busy",
        }
        for one in registered(tracker)
    ]


def _cpu(address: RpcAddress) -> str:
    try:
        return within(ASK_SECONDS, f"asking {address}", _describe, address)
    except (RequestError, WorkFailedError) as error:
        return f"does not answer: {error}"


def _describe(address: RpcAddress) -> str:
    with connect(address, ASK_SECONDS, wait=ASK_SECONDS / 2) as session:
        facts = read_facts(session, "aarch64")
    words = [facts.description]
    if facts.frequencies_khz:
        words.append(f"up to {max(facts.frequencies_khz) / 1e6:.2f} GHz")
    if facts.temperature_c is not None:
        words.append(f"{facts.temperature_c:.0f} degrees")
    return ", ".join(words)
