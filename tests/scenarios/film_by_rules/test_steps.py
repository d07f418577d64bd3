"""The four steps of a build one by one, layers, targets and cycles."""

from __future__ import annotations

from tests.scenarios.film_by_rules.looks import JOBS
from tests.scenarios.movie_project import MovieProject


def test_the_four_steps_one_after_the_other(movie: MovieProject) -> None:
    """S2-48, W3-14, W3-18: load, plan, execute a layer at a time, save; each alone, and harmless when repeated."""
    assert movie.project().load_base() == movie.project().load_base()
    assert movie.look().plan == movie.look().plan
    ran = []
    for layer in range(4):
        report = movie.build(up_to_layer=layer)
        repeated = movie.build(up_to_layer=layer)
        ran.append(report.executed)
        assert (report.revision, repeated.revision, repeated.executed) == (0, 0, 0)

    last = movie.build()

    assert (ran, last.executed, last.revision) == ([1, 7, 7, 1], 1, 1)
    assert sum(last.reused.values()) == JOBS - 1


def test_a_layer_s_jobs_are_made_once_when_a_build_stops_after_it(movie: MovieProject) -> None:
    """W3-14: 8 jobs, no commit; going on runs 9."""
    said = movie.console.run("build", "--up-to-layer", "1", "--json").json()
    rest = movie.console.run("build", "--json").json()

    assert (said["planned"], said["executed"], said["revision"]) == (8, 8, None)
    assert said["not_committed"] == "only layers 0 to 1 of 5 were asked for"
    assert (rest["executed"], rest["revision"]) == (9, "rev-0001")


def test_a_target_runs_what_it_needs_and_nothing_else(made: MovieProject) -> None:
    """Design 6: not even what reads it; no commit, and going on runs the rest."""
    made.change("MusicalStyle")

    part = made.build(targets=["movie/music"])
    ran = made.ran()
    rest = made.build()

    assert (part.planned, ran, part.revision) == (2, ["music", "musicprompt"], 0)
    assert part.not_committed == "only some targets were asked for"
    assert (made.ran(), rest.revision) == (["exporter", "timeline"], 2)


def test_a_cycle_is_told_with_its_chain_and_nothing_is_planned(movie: MovieProject) -> None:
    """W3-12."""
    movie.write(
        "windrow.toml",
        '[project]\nname = "movie"\n'
        + "".join(
            f'\n[[rule]]\nname = "{one}"\ninputs = ["{two}"]\ncommand = "cp {{in}} {{out}}"\noutputs = ["{one}"]\n'
            for one, two in (("a", "b"), ("b", "c"), ("c", "a"))
        ),
    )

    said = movie.console.run("plan", "--save")

    assert said.code == 2
    assert all(name in said.err for name in ("a", "b", "c"))
    assert "cycle" in said.err
    assert not list(movie.records.glob("runs/*"))
