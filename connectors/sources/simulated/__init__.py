"""A fictitious Indonesian online shop, its siblings and a rival, and a crisis that goes viral.

Everything here is invented and seeded; every mention is marked `simulated`.
"""

from connectors.sources.simulated.scenario import Scenario, scenario

__all__ = ["Scenario", "scenario"]
