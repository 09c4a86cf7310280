"""Explore: scenarios that nobody wrote, played on a build and on its model; what differs is a finding."""
