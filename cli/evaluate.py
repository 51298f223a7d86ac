"""sancodec evaluate: rate against distortion on records, and their beats before and after."""

from __future__ import annotations

from pathlib import Path

import click

from sancodec.cli._evaluation_report import Outputs
from sancodec.cli._options import force_option, jobs_option, level_option, provider_option
from sancodec.cli._terminal import for_each, progress_bar
from sancodec.config import CodecConfig
from sancodec.evaluation import Settings, evaluate_record
from sancodec.fidelity import Fidelity, Lossless, MaxError, SanOnly, TargetPrdn, TargetSize

_USUAL_PRDN = (2.0, 3.0, 5.0, 9.0)


def _numbers(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[float, ...]:
    """Read numbers, given one by one or with commas between."""
    try:
        return tuple(float(number) for text in texts for number in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{','.join(texts)!r}: {error}", context, parameter) from error


@click.command()
@click.argument("records", nargs=-1, required=True, metavar="RECORD...")
@click.option(
    "--prdn",
    multiple=True,
    callback=_numbers,
    metavar="PERCENT[,...]",
    help="PRDN that each channel may have, in percent.  [default, where no target is given: "
    "2,3,5,9]",
)
@click.option(
    "--max-error",
    multiple=True,
    metavar="N|NuV",
    help="Largest error of a sample, as encode takes it; give the option once for each.",
)
@click.option(
    "--ratio", multiple=True, callback=_numbers, metavar="N[,...]", help="Ratio, as encode has it."
)
@click.option(
    "--bits-per-sample",
    multiple=True,
    callback=_numbers,
    metavar="BITS[,...]",
    help="Bits that a sample may take.",
)
@click.option("--san-only", is_flag=True, help="The SAN layer alone.")
@click.option("--lossless", is_flag=True, help="Without loss.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Take so much from the start of each record.  [default: all of it]",
)
@level_option
@click.option(
    "--model",
    default="auto",
    show_default=True,
    metavar="auto|none|NAME|FILE.onnx",
    help="Model of the SAN layer, as encode takes it.",
)
@click.option("--no-beats", is_flag=True, help="Do not look for beats, which takes a while.")
@click.option("--csv", "csv_file", metavar="FILE", help="Write all figures to a file as well.")
@click.option(
    "--plot",
    "plot_file",
    metavar="FILE.png|svg",
    help="Draw bits/sample against PRDN, a line for each record.",
)
@provider_option
@jobs_option
@force_option
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each outcome.")
@click.pass_context
def evaluate(
    context: click.Context,
    *,
    records: tuple[str, ...],
    prdn: tuple[float, ...],
    max_error: tuple[str, ...],
    ratio: tuple[float, ...],
    bits_per_sample: tuple[float, ...],
    san_only: bool,
    lossless: bool,
    seconds: float | None,
    level: str,
    model: str,
    no_beats: bool,
    csv_file: str | None,
    plot_file: str | None,
    provider: str,
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Encode records to several targets, decode them, and say what each costs and does.

    Nothing is kept but --csv and --plot. Bytes are those of the whole file that encode writes; of
    a part of a record, without its header's text. PRDN is in percent of each channel's deviation
    from its mean, errors are in ADC units.

    Beats are those that wfdb's detector xqrs finds in the first ECG lead, compared within 150 ms:
    those of the decoded lead with those of the original, and both with the annotations of the
    record (.atr), where it has them. Of several records, ratios are summed up by their geometric
    mean, and beats all together.

    \b
    Example:
      sancodec evaluate 100.dat
      sancodec evaluate mitdb/*.hea --prdn 5 --seconds 600 --csv rates.csv
      sancodec evaluate 100.dat --prdn 2,5,9 --max-error 2 --max-error 10uV --plot rates.svg
    """
    targets: list[Fidelity] = [Lossless()] if lossless else []
    targets += [MaxError(tuple(bounds.split(","))) for bounds in max_error]
    targets += [TargetPrdn(percent) for percent in prdn]
    targets += [TargetSize(ratio=own) for own in ratio]
    targets += [TargetSize(bits_per_sample=own) for own in bits_per_sample]
    targets += [SanOnly()] if san_only else []
    targets = targets or [TargetPrdn(percent) for percent in _USUAL_PRDN]
    settings = Settings(
        config=CodecConfig(model=model, level=level),
        seconds=seconds,
        beats=not no_beats,
        provider=provider,
        jobs=jobs,
    )
    with Outputs(as_json=as_json, csv=csv_file, plot=plot_file, force=force) as outputs:

        def work(record: str) -> None:
            with progress_bar(record) as progress:
                for outcome in evaluate_record(Path(record), targets, settings, progress):
                    outputs.add(outcome)

        for_each(context, records, work)
