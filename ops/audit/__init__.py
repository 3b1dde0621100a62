"""The audit of a running installation: whether what was promised to annotators holds, by log and store."""

from ops.audit.rules import Wrong
from ops.audit.run import Audit, audit

__all__ = ["Audit", "Wrong", "audit"]
