"""Rules of weight conversion: which tensor of a foreign checkpoint becomes which parameter of ours.

A rule maps a key to a path in the model's pure dict and permutes its axes; a rule without a path names
tensors that are skipped on purpose.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule of a conversion table."""

    key: str  # regular expression that matches the whole key
    path: str | None  # parameter, parts separated by "/", with the expression's groups; None: skipped
    axes: tuple[int, ...] | None = None  # permutation from the tensor's axes to the parameter's
    part: tuple[int, int] = (0, 1)  # (i, n): the i-th of n equal parts along the parameter's last axis


LINEAR = (1, 0)  # (out, in) -> (in, out)
CONV = (2, 3, 1, 0)  # (out, in, rows, columns) -> (rows, columns, in, out)


def affine_rules(
    key: str, path: str, axes: tuple[int, ...], part: tuple[int, int] = (0, 1)
) -> tuple[Rule, ...]:
    """Rules for weight and bias of a linear layer or convolution."""
    return (
        Rule(rf"{key}\.weight", f"{path}/kernel", axes, part),
        Rule(rf"{key}\.bias", f"{path}/bias", None, part),
    )


def norm_rules(key: str, path: str) -> tuple[Rule, ...]:
    """Rules for scale and bias of a norm."""
    return Rule(rf"{key}\.weight", f"{path}/scale"), Rule(rf"{key}\.bias", f"{path}/bias")


def batch_norm_rules(key: str, path: str) -> tuple[Rule, ...]:
    """Rules for scale, bias and running statistics of a batch norm."""
    return (
        *norm_rules(key, path),
        Rule(rf"{key}\.running_mean", f"{path}/mean"),
        Rule(rf"{key}\.running_var", f"{path}/var"),
        Rule(rf"{key}\.num_batches_tracked", None),  # PyTorch reads it only if momentum is unset
    )


def with_prefixes(rules: tuple[Rule, ...], key: str, path: str) -> tuple[Rule, ...]:
    """Returns the rules with a prefix on keys and on paths."""
    return tuple(
        dataclasses.replace(rule, key=key + rule.key, path=rule.path and path + rule.path) for rule in rules
    )
