"""The two exceptions that the command line turns into an exit status."""


class RequestError(Exception):
    """The request cannot be served as written; the message is one line that names the way out."""


class WorkFailedError(Exception):
    """The work failed: wrong output, device lost."""
