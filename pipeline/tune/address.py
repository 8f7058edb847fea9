"""How a device is named: `local`, or `rpc://HOST:PORT/KEY` for those that a tracker lends."""

import re
from dataclasses import dataclass

from pipeline.errors import RequestError

LOCAL = "local"
PATTERN = re.compile(r"rpc://([\w.\-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})/([\w.\-]+)", re.ASCII)


@dataclass(frozen=True)
class Address:
    """A tracker, and the key of the devices that may serve."""

    host: str
    port: int
    key: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """RequestError if it is not written as rpc://HOST:PORT/KEY."""
        found = PATTERN.fullmatch(text)
        if found is None:
            raise RequestError(f"device {text!r} is not local or rpc://HOST:PORT/KEY")
        host, port, key = found.groups()
        return cls(host.strip("[]"), int(port), key)
