"""Versions of templates: kept with their hash, found again after the file was edited, compared line by line."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import cli
from configs import ConfigError
from rag.errors import TemplateError
from rag.prompt_versions import difference, find_version, keep, parent_of, written
from rag.prompts import PromptTemplate, TemplateConfig, list_templates


def edited(template: PromptTemplate, old: str, new: str) -> PromptTemplate:
    data = template.config.model_dump()
    for message in data["messages"]:
        message["text"] = message["text"].replace(old, new)
    return PromptTemplate(template.name, TemplateConfig.model_validate(data))


def test_every_shipped_template_is_the_same_after_it_was_kept(tmp_path: Path) -> None:
    assert list_templates()
    for template in list_templates():
        again = PromptTemplate.load(str(keep(template, tmp_path)))
        assert (again.name, again.hash, again.config) == (template.name, template.hash, template.config)


def test_an_earlier_version_is_found_where_a_run_kept_it(tmp_path: Path) -> None:
    now = PromptTemplate.load("few_shot")
    before = edited(now, "scientists", "physicians")
    keep(before, tmp_path / "winter" / "arms" / "a")
    assert find_version(before.version, tmp_path).hash == before.hash != now.hash
    assert find_version(now.version, tmp_path).hash == now.hash
    with pytest.raises(TemplateError, match=rf"few_shot@00000000: no such version. It is {now.version} now"):
        find_version("few_shot@00000000", tmp_path)
    with pytest.raises(TemplateError, match="No template is named so now"):
        find_version("other@00000000", tmp_path)


def test_a_template_pinned_to_a_version_is_refused_once_it_was_edited(tmp_path: Path) -> None:
    now = PromptTemplate.load("few_shot")
    assert PromptTemplate.load(now.version).hash == now.hash
    with pytest.raises(TemplateError, match=rf"another text than few_shot@00000000: it is {now.version}"):
        PromptTemplate.load("few_shot@00000000")
    kept = keep(now, tmp_path)
    kept.write_text(kept.read_text().replace("scientists", "physicians"))
    with pytest.raises(TemplateError, match="has another text"):
        PromptTemplate.load(str(kept))


def test_shipped_parents_are_named_by_version() -> None:
    with_parent = [template for template in list_templates() if template.config.parent]
    assert with_parent
    for template in with_parent:
        assert template.config.parent is not None
        name, _, digits = template.config.parent.partition("@")
        assert digits, f"{template.name}: parent {template.config.parent} is no version"
        assert PromptTemplate.load(name).config.task == template.config.task


def test_a_parent_that_was_changed_since_is_told(tmp_path: Path) -> None:
    file = tmp_path / "child.yaml"
    data = yaml.safe_load(written(PromptTemplate.load("few_shot").config)) | {"parent": "zero_shot@00000000"}
    file.write_text(yaml.safe_dump(data))
    now = PromptTemplate.load("zero_shot").version
    assert parent_of(PromptTemplate.load(str(file))) == f"zero_shot@00000000, now {now}"
    file.write_text(yaml.safe_dump(data | {"parent": "not a version"}))
    with pytest.raises(ConfigError, match="parent"):
        PromptTemplate.load(str(file))


def test_a_difference_has_what_was_taken_away_before_what_was_added() -> None:
    now = PromptTemplate.load("few_shot")
    other = edited(now, "Describe this image", "Caption this image")
    lines = difference(now, other).split("\n")
    changed = [line for line in lines if not line.startswith("  ")]
    assert [line[:10] for line in changed] == ["- Describe", "+ Caption "]
    assert lines[0] == "  [system]"
    assert difference(now, now) == ""


def test_prompts_diff_reads_names_versions_and_files(tmp_path: Path) -> None:
    before = edited(PromptTemplate.load("few_shot"), "scientists", "physicians")
    file = keep(before, tmp_path / "run")
    for first in (before.version, str(file)):
        done = CliRunner().invoke(cli.main, ["prompts", "diff", first, "few_shot", "--runs", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert "- You describe biomedical images for physicians. Say only what can be seen." in done.stdout
        assert "+ You describe biomedical images for scientists. Say only what can be seen." in done.stdout
    same = CliRunner().invoke(cli.main, ["prompts", "diff", "few_shot", "few_shot"])
    assert "the messages are the same" in same.stdout
