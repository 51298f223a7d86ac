"""sancodec completion: what a shell needs to complete verbs, options and file names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete verbs, options and file names.

    \b
    Example:
      eval "$(sancodec completion bash)"                   in ~/.bashrc
      eval "$(sancodec completion zsh)"                    in ~/.zshrc
      sancodec completion fish > ~/.config/fish/completions/sancodec.fish
    """
    # Imported here: that module finds this one.
    from sancodec.cli.main import COMPLETING  # noqa: PLC0415

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "sancodec", COMPLETING).source())
