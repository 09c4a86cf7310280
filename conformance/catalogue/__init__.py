"""What is promised, by whom: patches and requirements."""

from conformance.catalogue.patches import PATCHES, PPA_PATCHES, STOCK_PATCHES, Patch
from conformance.catalogue.requirements import Requirement, known, requirement

__all__ = ["PATCHES", "PPA_PATCHES", "STOCK_PATCHES", "Patch", "Requirement", "known", "requirement"]
