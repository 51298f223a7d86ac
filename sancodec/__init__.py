"""Lossless compression of ECG and other biosignals with Sparsely Activated Networks."""

from pathlib import Path as _Path

# In a checkout cli/, formats/ and models/ stand beside this folder; installed, they are inside it.
_ROOT = _Path(__file__).resolve().parent.parent
if (_ROOT / "formats" / "SPEC.md").is_file() and str(_ROOT) not in __path__:
    __path__.append(str(_ROOT))
