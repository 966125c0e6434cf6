"""The YAML that explains a table, and the columns that explain themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suites.errors import UsageError
from suites.table.roles import SYNONYMS, find_layout
from suites.table.spec import ROLES, TableSpec, locate

DOCS = Path(__file__).parents[3] / "docs"


def parse(**keys: Any) -> TableSpec:
    return TableSpec.parse(keys, "arena.yaml")


@pytest.mark.parametrize(
    ("raw", "path", "nearest"),
    [
        ({"colums": {}}, "arena.yaml: ", "columns"),
        ({"columns": {"modle": "m"}}, "arena.yaml: columns: ", "model"),
        ({"models": {"nmae": "m"}}, "arena.yaml: models: ", "name"),
        ({"scenarios": {"n_option": 4}}, "arena.yaml: scenarios: ", "n_options"),
        ({"folds": {"files": "f.csv"}}, "arena.yaml: folds: ", "file"),
        ({"scale": "percents"}, "arena.yaml: scale: ", "percent"),
        ({"layout": "wider"}, "arena.yaml: layout: ", "wide"),
    ],
)
def test_an_unknown_key_names_its_place_and_the_nearest_one(
    raw: dict[str, Any], path: str, nearest: str
) -> None:
    with pytest.raises(UsageError) as caught:
        TableSpec.parse(raw, "arena.yaml")
    assert str(caught.value).startswith(path)
    assert f"did you mean '{nearest}'" in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "expected keys"),
        ({"columns": ["model"]}, "columns: expected keys"),
        ({"columns": {"model": ["a"]}}, "columns.model: expected a name"),
        ({"columns": {"model": "a", "scenario": "a"}}, "name one column"),
        ({"scale": ["percent"]}, "scale: unknown scale"),
        ({"scale": "percent", "bounds": [0, 1]}, "either scale or bounds"),
        ({"bounds": [1, 0]}, "is not below"),
        ({"bounds": [0, "x"]}, "expected a number"),
        ({"bounds": [0, float("inf")]}, "expected a number"),
        ({"higher_is_better": "yes"}, "expected true or false"),
        ({"missing": [None]}, r"missing\[0\]"),
        ({"scenarios": {"bounded": True}}, "give one of these"),
        ({"layout": "long", "values": ["a"]}, "belongs to the layout wide"),
        ({"layout": "wide", "columns": {"value": "v"}}, "belongs to the layout long"),
        ({"folds": {"file": "f.csv", "on": ["i"]}}, "columns is missing"),
    ],
)
def test_what_cannot_be_meant_is_refused(raw: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        TableSpec.parse(raw, "arena.yaml")


def test_an_empty_yaml_says_nothing() -> None:
    assert TableSpec.parse(None) == TableSpec()


def test_bounds_and_direction_may_differ_by_metric() -> None:
    spec = parse(bounds={"acc*": [0, 1], "elo": [0, None]}, higher_is_better={"loss": False})
    assert spec.bounds_of("accuracy") == (0.0, 1.0)
    assert spec.bounds_of("elo") == (0.0, None)
    assert spec.bounds_of("loss") is None
    assert spec.direction_of("loss") is False
    assert spec.direction_of("elo") is None


def test_the_bare_word_on_is_a_key_although_yaml_reads_it_as_true(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("folds:\n  file: f.csv\n  on: [i, j]\n  columns: {seed: s}\n")
    spec = TableSpec.load(str(path))
    assert spec.folds is not None
    assert spec.folds.on == (("i", "i"), ("j", "j"))
    assert spec.folds.columns == (("seed", "s"),)


@pytest.mark.parametrize("text", ["a: [", "\x00", "a: !!python/object:os.system x"])
def test_a_file_that_is_not_yaml_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match="cannot read"):
        TableSpec.load(str(path))


def test_files_are_looked_for_beside_the_yaml_and_then_beside_the_table(tmp_path: Path) -> None:
    for folder in ("yaml", "data"):
        (tmp_path / folder).mkdir()
    spec, table = str(tmp_path / "yaml" / "a.yaml"), str(tmp_path / "data" / "a.csv")
    (tmp_path / "data" / "m.csv").touch()
    assert locate("m.csv", spec, table) == str(tmp_path / "data" / "m.csv")
    (tmp_path / "yaml" / "m.csv").touch()
    assert locate("m.csv", spec, table) == str(tmp_path / "yaml" / "m.csv")
    assert locate("none.csv", spec, table) is None


def test_every_example_of_the_documents_is_valid() -> None:
    examples = sorted((DOCS / "tables").glob("*.yaml"))
    assert len(examples) >= 8
    for example in examples:
        assert TableSpec.load(str(example)).data


def test_the_documents_explain_every_role_and_show_a_valid_example() -> None:
    import yaml

    text = (DOCS / "tables.md").read_text(encoding="utf-8")
    for role in ROLES:
        names = ", ".join(f"`{name}`" for name in SYNONYMS[role])
        assert f"| {role} | {names} |" in text
    for block in text.split("```yaml\n")[1:]:
        TableSpec.parse(yaml.safe_load(block.split("```")[0]))


def layout(table: str, /, **keys: Any) -> Any:
    """Find the layout of columns written like ``Model:text score:number``."""
    kinds = dict(word.rsplit(":", 1) for word in table.split())
    return find_layout(kinds, parse(**keys), "arena.csv")


def test_usual_names_are_found_whatever_their_case() -> None:
    found = layout("Model-Name:text Task:text doc_id:number Score:number Epoch:number")
    assert found.across is None
    assert found.roles == {
        "model": "Model-Name",
        "scenario": "Task",
        "instance": "doc_id",
        "trial": "Epoch",
        "value": "Score",
    }


def test_the_plain_name_wins_over_its_synonyms() -> None:
    assert layout("model:text model_id:text task:text value:number").roles["model"] == "model"


def test_two_candidates_for_one_role_are_refused_with_a_yaml_to_start_from() -> None:
    import yaml

    with pytest.raises(UsageError) as caught:
        layout("model:text task:text item:number doc_id:number score:number")
    message = str(caught.value)
    assert "instance could be any of 'item', 'doc_id'" in message
    snippet = yaml.safe_load(message.split("for example:\n\n")[1])
    again = TableSpec.parse(snippet)
    assert again.columns == {
        "model": "model",
        "scenario": "task",
        "value": "score",
        "instance": "item",
    }


def test_one_column_of_text_and_several_of_numbers_is_wide() -> None:
    found = layout("Unnamed:text a:number b:number date:text")
    assert (found.across, found.values) == ("scenario", ("a", "b"))
    assert found.roles == {"model": "Unnamed", "date": "date"}


def test_a_wide_table_with_scenarios_as_rows_is_known_by_the_name_of_its_column() -> None:
    found = layout("Benchmark:text m1:number m2:number")
    assert (found.across, found.values) == ("model", ("m1", "m2"))


def test_a_saved_index_is_no_scenario() -> None:
    assert layout("index:number llm:text a:number b:number").values == ("a", "b")


@pytest.mark.parametrize(
    "columns",
    [
        "Metric:text m1:number m2:number",
        "Model:text Family:text Size:number MMLU:number",
        "a:number b:number",
        "model:text task:text",
        "model:text accuracy:number f1:number",
    ],
)
def test_what_is_not_clear_is_refused(columns: str) -> None:
    with pytest.raises(UsageError, match="not clear what the columns hold"):
        layout(columns)


def test_with_model_and_scenario_the_value_columns_of_a_wide_table_are_metrics() -> None:
    found = layout("model:text task:text f1:number accuracy:number", layout="wide")
    assert (found.across, found.values) == ("metric", ("f1", "accuracy"))


def test_values_are_globs_and_must_fit_something() -> None:
    found = layout("m:text x1:number x2:number y:number", values=["x*"], columns={"model": "m"})
    assert found.values == ("x1", "x2")
    with pytest.raises(UsageError, match="values: unknown column 'z\\*'"):
        layout("m:text x1:number", values=["z*"], columns={"model": "m"})


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"columns\.model: unknown column 'Modle'.*'Model'"):
        layout("Model:text task:text score:number", columns={"model": "Modle"})


def test_null_says_that_there_is_no_such_column() -> None:
    found = layout("model:text task:text score:number date:text", columns={"date": None})
    assert "date" not in found.roles


def test_folds_have_names() -> None:
    one = layout("model:text task:text score:number fold:number")
    assert one.folds == {"fold": "fold"}
    many = layout("model:text task:text score:number a:number", columns={"fold": {"seed1": "a"}})
    assert many.folds == {"seed1": "a"}
