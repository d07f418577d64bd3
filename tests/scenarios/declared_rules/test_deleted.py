"""Rules that are deleted, kept because a person wrote over their output, or in each other's way."""

from __future__ import annotations

from tests.scenarios.rule_project import AUTH, FORMS, REFERENCE, RuleProject


def test_a_deleted_rule_loses_its_output_its_entry_and_its_place_in_the_aggregates(built: RuleProject) -> None:
    """S3-24, S3-25, S3-26."""
    built.delete(".context/rules/frontend/forms.md")

    report = built.build()

    manifest = built.manifest()
    assert not built.exists(FORMS)
    assert report.outputs_removed == 1
    assert ".context/rules/frontend/forms.md" not in manifest.sources
    assert FORMS not in manifest.artefacts
    assert "frontend/forms" not in built.read("CLAUDE.md") + built.read("AGENTS.md")


def test_the_output_of_a_deleted_rule_is_kept_if_a_person_has_changed_it(built: RuleProject) -> None:
    """W4-08: with a warning."""
    built.delete(".context/rules/frontend/forms.md")
    built.write(FORMS, "mine\n")

    built.build()
    warnings = built.observer.warnings
    checked = built.console.run("doctor")

    assert built.read(FORMS) == "mine\n"
    assert FORMS in built.manifest().sources
    assert FORMS not in built.manifest().artefacts
    assert warnings == [f"kept {FORMS}: no rule makes it any more, but it was changed since it was built"]
    assert "the archived events tell the same as the manifest" in checked.out


def test_a_deleted_rule_that_another_refers_to_is_an_error_before_anything_is_written(built: RuleProject) -> None:
    """S3-25: a dead link."""
    built.delete(REFERENCE)
    before = built.tree()

    said = built.console.run("build")

    assert (said.code, REFERENCE in said.err) == (2, True)
    assert built.tree() == before
    assert built.manifest().revision == 1


def test_two_rules_that_make_one_output_are_an_error_that_names_both(built: RuleProject) -> None:
    """B U26: `backend/auth.md` and a file of another directory compiled to the same name."""
    text = built.read("windrow.toml")
    built.write(
        "windrow.toml",
        text + '\n[[rule]]\nname = "flat"\neach = ".context/project.md"\ncommand = "cp {in} {out}"\n'
        f'outputs = ["{AUTH}"]\n',
    )

    said = built.console.run("build")

    assert said.code == 2
    assert "mdc-backend" in said.err
    assert "flat" in said.err
