"""The entry point: finds the verb, and turns every failure into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib import metadata

import click

from sancodec.cli._terminal import complain, exit_code_of, printable
from sancodec.errors import SancodecError

# Kept here, so that --help imports no verb and with it neither codec nor runtime.
VERBS = {
    "encode": "Compress WFDB records without loss, each to one .san file.",
    "decode": "Give back the original files of .san files, or a part of them.",
    "batch": "Encode or decode whole archives, record by record.",
    "inspect": "Report what .san files hold, down to every byte.",
    "beats": "Write the beats that .san files know of, without decoding, as WFDB annotations.",
    "evaluate": "Tell what records come to at several losses, and what becomes of their beats.",
    "plot": "Draw a part of a .san file on ECG paper: signal, layers, activations, kernels.",
    "export": "Take .san files apart into ONNX graphs and arrays that need no sancodec.",
    "verify": "Check .san files: checksums, decoding, hash of the samples.",
    "pack": "Put many .san files into one, from which single records come out.",
    "unpack": "Give back the records of a pack, as .san files or as their original files.",
    "list": "List the records of packs.",
    "models": "List the shipped models, and draw their kernels.",
    "train": "Train the kernels of a signal type on records.",
    "experiments": "Run the experiments of the SAN paper beside its numbers.",
    "demo": "Simulate an ECG, encode it, decode it, compare, report, draw.",
    "completion": "Print what a shell needs to complete verbs, options and file names.",
}

_INTERRUPTED = 130
COMPLETING = "_SANCODEC_COMPLETE"
"""Set by a shell that asks how a word may end: click answers, and runs nothing."""


class LazyGroup(click.Group):
    """A group that imports the module of a verb when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names of all verbs, in the order of use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give the command of a verb, or None when there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command = getattr(importlib.import_module(f"sancodec.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        if COMPLETING in os.environ:
            _complete_files(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs in the help."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; a failure that was foreseen ends in one line and its exit code."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except (SancodecError, OSError) as error:
            complain(error, verbose=ctx.params["verbose"])
            ctx.exit(exit_code_of(error))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="VERB ...",
    invoke_without_command=True,
    epilog="Exit codes: 0 fine, 1 failed, 2 usage, 3 corrupt or not verified, "
    "4 some of several files failed.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of a failure.")
@click.option("--version", is_flag=True, help="Show the version and exit.")
@click.pass_context
def cli(context: click.Context, *, verbose: bool, version: bool) -> None:
    """Compress ECG and other biosignals without loss, with Sparsely Activated Networks.

    \b
    Example:
      sancodec encode 100.dat          writes 100.san beside the record
      sancodec decode 100.san -o out   gives back out/100.dat and out/100.hea
    """
    if version:
        click.echo(f"sancodec {_version()}")
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _complete_files(command: click.Command) -> None:
    """Let a shell complete what stands for a path. Verbs take these as text: a URL is one, too."""
    for parameter in command.params:
        name = (parameter.metavar or "").upper()
        if any(word in name for word in ("FILE", "RECORD", "DIR", "PAGE")):
            parameter.type = click.Path(readable=False)


def _version() -> str:
    try:
        return metadata.version("sancodec")
    except metadata.PackageNotFoundError:
        return "(a checkout that is not installed)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    try:
        code = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="sancodec",
            standalone_mode=False,
        )
    except click.ClickException as error:
        return _complain_of_usage(error)
    except click.Abort:
        return _INTERRUPTED
    return code if isinstance(code, int) else 0


def _complain_of_usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" (see {context.command_path} --help)" if context else ""
    click.echo(f"sancodec: error: {printable(error.format_message())}{hint}", err=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
