"""Lines of the tables that say which tensor of somebody else's weights becomes which parameter of ours.

A rule turns a key into a path in the model's pure dict and says how the axes are permuted; a rule without
a path names what is left out on purpose.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Rule:
    """One line of a table."""

    key: str  # regular expression of the whole key
    path: str | None  # parameter, parts separated by "/", with the expression's groups; None: left out
    axes: tuple[int, ...] | None = None  # permutation from the tensor's axes to the parameter's
    part: tuple[int, int] = (0, 1)  # (i, n): the i-th of n equal parts along the parameter's last axis


LINEAR = (1, 0)  # (out, in) -> (in, out)
CONV = (2, 3, 1, 0)  # (out, in, rows, columns) -> (rows, columns, in, out)


def affine_rules(
    key: str, path: str, axes: tuple[int, ...], part: tuple[int, int] = (0, 1)
) -> tuple[Rule, ...]:
    """Weight and bias of a linear layer or convolution."""
    return (
        Rule(rf"{key}\.weight", f"{path}/kernel", axes, part),
        Rule(rf"{key}\.bias", f"{path}/bias", None, part),
    )


def norm_rules(key: str, path: str) -> tuple[Rule, ...]:
    """Scale and bias of a norm."""
    return Rule(rf"{key}\.weight", f"{path}/scale"), Rule(rf"{key}\.bias", f"{path}/bias")


def batch_norm_rules(key: str, path: str) -> tuple[Rule, ...]:
    """Scale, bias and running statistics of a batch norm."""
    return (
        *norm_rules(key, path),
        Rule(rf"{key}\.running_mean", f"{path}/mean"),
        Rule(rf"{key}\.running_var", f"{path}/var"),
        Rule(rf"{key}\.num_batches_tracked", None),  # only read where the momentum is unset
    )


def with_prefixes(rules: tuple[Rule, ...], key: str, path: str) -> tuple[Rule, ...]:
    """The same rules below a key prefix and a path prefix."""
    return tuple(
        dataclasses.replace(rule, key=key + rule.key, path=rule.path and path + rule.path) for rule in rules
    )
