"""How a flaw gets into the reference. That each shows, and which case catches it, the zoo says."""

import pytest

from conformance.catalogue.builtin import PPA_PATCHES
from conformance.reference import flaws
from conformance.reference.blast import Blast
from conformance.reference.build import Build
from conformance.reference.flaws import FLAWS, build_with
from conformance.reference.flaws.flaw import FlawedBuild, dropped, flaw
from conformance.zoo.watch import WatchedBuild


def test_a_flaw_makes_one_decision_fall_otherwise_and_leaves_the_class_alone() -> None:
    flawed = build_with((), {"smtpd.hops-off-by-one"}).of(Blast)(0)
    assert (flawed.most_hops, Blast(0).most_hops, Build().of(Blast)) == (101, 100, Blast)
    assert flawed.ends_message(b".\r")


def test_a_dropped_patch_is_claimed_and_not_carried() -> None:
    build = FlawedBuild(PPA_PATCHES, [dropped("0006.dropped", "answers 502 as stock does")])
    assert not build.carries("0006")
    assert build.carries("0007")


def test_flaws_that_cannot_be_are_refused() -> None:
    with pytest.raises(AttributeError, match="no_such_decision"):
        flaw("smtpd.x", "is wrong", Blast, no_such_decision=1)
    with pytest.raises(ValueError, match="no-such-flaw"):
        build_with((), {"smtpd.no-such-flaw"})
    with pytest.raises(ValueError, match="same decision"):
        build_with((), {"smtpd.hops-off-by-one", "smtpd.hops-ignored"})


def test_a_watched_build_notes_which_decisions_were_taken() -> None:
    watched = WatchedBuild(PPA_PATCHES)
    blast = watched.of(Blast)(0)
    assert watched.reached == set()
    assert not blast.looping
    assert watched.reached == {("Blast", "most_hops")} == FLAWS["smtpd.hops-ignored"].decisions
    assert watched.can_show("smtpd.hops-off-by-one")
    assert not watched.can_show("smtpd.dots-kept")
    assert not watched.can_show("0006.dropped")
    assert watched.carries("0006")
    assert watched.can_show("0006.dropped")


def test_no_two_flaws_have_one_name() -> None:
    names = [each.name for module in flaws._MODULES for each in getattr(module, "FLAWS", ())]
    assert len(set(names)) == len(names) == len(flaws.FLAWS)
