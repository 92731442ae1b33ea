"""The version of the contract: one integer, raised when a provider written for the old one could go wrong.

A provider states in its manifest the version that it was written for.  The engine refuses, at start and naming both
sides, one that is older than ``OLDEST_CONTRACT_VERSION``, and one that is newer than the engine itself.
"""

CONTRACT_VERSION = 1
"""The contract that this SDK describes."""

OLDEST_CONTRACT_VERSION = 1
"""The oldest contract that an engine with this SDK still speaks."""
