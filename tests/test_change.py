"""`mlcore report-change`: what a change of conf/ does to the numbers, on a real project."""

import pytest
from project import Project, copy_project, environment


@pytest.mark.slow
def test_a_change_of_the_model_is_told_in_metrics_params_and_outputs(tmp_path):
    (tmp_path / "beside").mkdir()
    project = Project(copy_project(tmp_path / "beside" / "project"))
    project.mlcore("compose", "model=gaussian_nb")
    done = project.call("make", "report-change", "BASE=main", environment(tmp_path))
    assert "Gains" in done.stdout and "model.estimator.classification._target_" in done.stdout
    text = (project.folder / "build/change/report.md").read_text()
    assert (
        "of 9 metrics change" in text and "| prepare | same bits |" in text and "| train | differs |" in text
    )
    assert "on the 103 rows that both test on" in text
    assert not (project.folder / "mlflow.db").exists(), "a report leaves no run behind"
    assert [path.name for path in (tmp_path / "beside").iterdir()] == ["project"], "the base's folder is gone"
    project.mlcore("compose")
    assert "no metric changes" in project.mlcore("report-change", "main").stdout


def test_a_base_that_is_not_there_is_a_mistake(tmp_path):
    project = Project(copy_project(tmp_path))
    done = project.mlcore("report-change", "--", "nowhere", code=2)
    assert "there is no commit 'nowhere' here" in done.stderr and "Traceback" not in done.stderr
    project.mlcore("report-change", "--", "--upload-pack=x", code=2)
