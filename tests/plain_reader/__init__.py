"""A plain reader of .san files, written from formats/SPEC.md and from nothing else of the project.

It is slow and shares no code with sancodec: what both read the same way is what SPEC.md says.
"""

from .reader import Record, read, read_bytes
from .wire import RefusedError, TooNewError

__all__ = ["Record", "RefusedError", "TooNewError", "read", "read_bytes"]
