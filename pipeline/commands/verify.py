"""Check a bundle."""

from pipeline import arguments as a


def verify(bundle: a.BundleFolder, device: a.Device = "local") -> None:
    """Check a bundle: that it is whole, fits this CPU, and computes what PyTorch computed.

    \b
    shufflenet-tvm verify bundle
    """
    from pipeline.bundle import read_bundle
    from pipeline.bundle import verify as check

    found = check(read_bundle(bundle), device)
    line = f"{bundle}: good; differs from PyTorch by {found.torch.max_relative_error:.0e}"
    if found.compiled is not None:
        line += f", from its output when compiled by {found.compiled.max_relative_error:.0e}"
    print(line)
