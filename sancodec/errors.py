"""The tree of errors: every failure that sancodec foresees is one of these.

``exit_code`` is what the command line returns for the error:
1 failed, 2 usage, 3 corrupt or not verified.
"""


class SancodecError(Exception):
    """Something that sancodec foresaw went wrong; the message names it and the remedy."""

    exit_code = 1


class ConfigError(SancodecError, ValueError):
    """A setting is out of range or contradicts another one."""

    exit_code = 2


class RecordError(SancodecError):
    """An input record is missing, incomplete, or says something that cannot be."""


class EmptyRecordError(RecordError):
    """A record has no signals or no samples: there is nothing to encode."""


class ModelError(SancodecError):
    """A model is missing, damaged, or not the one that a file was written with."""


class ProviderError(SancodecError):
    """The wanted ONNX Runtime provider is not there or does not compute exactly."""


class OutputError(SancodecError):
    """An output exists already, or cannot be written."""


class CorruptError(SancodecError):
    """A .san file is not what it says it is; nothing of it was taken for good."""

    exit_code = 3


class TruncatedError(CorruptError):
    """The bytes end before the field that was announced."""


class ChecksumError(CorruptError):
    """A checksum or hash differs from the bytes it stands for."""


class UnsupportedError(CorruptError):
    """The file needs a newer version, or an id that this version does not know."""


class VerifyError(SancodecError):
    """The written file did not decode to what was encoded; nothing of it was kept."""

    exit_code = 3
