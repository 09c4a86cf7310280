"""The scenarios of fixtures/scenarios/ that name a requirement: each file is a case."""

from conformance.scenario.cases import scenario_cases

globals().update(scenario_cases(__name__))
