"""Lossless compression of ECG and other biosignals with Sparsely Activated Networks."""

from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING

from sancodec.config import CodecConfig
from sancodec.errors import SancodecError
from sancodec.recording import Channel, Recording

if _TYPE_CHECKING:
    from sancodec.api import decode, encode, open  # noqa: A004
    from sancodec.pack import open_pack

__all__ = [
    "Channel",
    "CodecConfig",
    "Recording",
    "SancodecError",
    "decode",
    "encode",
    "open",
    "open_pack",
]

# In a checkout cli/, formats/ and models/ stand beside this folder; installed, they are inside it.
_ROOT = _Path(__file__).resolve().parent.parent
if (_ROOT / "formats" / "SPEC.md").is_file() and str(_ROOT) not in __path__:
    __path__.append(str(_ROOT))


def __getattr__(name: str) -> object:
    # The codec compiles its loops: it is imported when it is first used, not before.
    if name in {"encode", "decode", "open"}:
        from sancodec import api  # noqa: PLC0415

        return getattr(api, name)
    if name == "open_pack":
        from sancodec import pack  # noqa: PLC0415

        return pack.open_pack
    raise AttributeError(f"module 'sancodec' has no attribute {name!r}")
