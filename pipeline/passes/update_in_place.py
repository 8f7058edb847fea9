"""Writing the sum of a shortcut over the shortcut, where nobody reads it afterwards.

    y = relu(pointwise(d) + x)        ->        x = relu(pointwise(d) + x)

All units of a stage then share one tensor, which stays in the cache that it fits, instead of
reading one and filling another.
"""

from dataclasses import replace

from pipeline.operators import Network, Operator


def update_in_place(network: Network) -> Network:
    """The network in fewer tensors; operators write the tensor that they read as residual."""
    last = {name: index for index, step in enumerate(network.operators) for name in _reads(step)}
    kept = (network.source, network.result)
    renamed: dict[str, str] = {}
    operators = []
    for index, step in enumerate(network.operators):
        residual = step.residual
        if (
            step.kind in ("pointwise", "channelwise")
            and residual is not None
            and residual != step.data
            and last[residual] == index
            and residual not in kept
            and network.shapes[residual] == network.shapes[step.writes]
        ):
            renamed[step.writes] = renamed.get(residual, residual)
        operators.append(_renamed(step, renamed))
    result = renamed.get(network.result, network.result)
    return replace(network, operators=tuple(operators), result=result)


def _reads(step: Operator) -> list[str]:
    return [name for name in (step.data, step.residual, step.gate) if name is not None]


def _renamed(step: Operator, names: dict[str, str]) -> Operator:
    def new(name: str | None) -> str | None:
        return None if name is None else names.get(name, name)

    return replace(
        step,
        data=names.get(step.data, step.data),
        writes=names.get(step.writes, step.writes),
        residual=new(step.residual),
        gate=new(step.gate),
    )
