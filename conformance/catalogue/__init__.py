"""What is promised, by whom: patches, requirements and promises, ours and those of a project."""

from conformance.catalogue.patches import Patch
from conformance.catalogue.requirements import Requirement, requirement

__all__ = ["Patch", "Requirement", "requirement"]
