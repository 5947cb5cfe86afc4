"""Promote's section of params.yaml."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """What is promoted under which name, and what the comparison is about.

    Attributes
    ----------
    model : name in the registry; null: the data's name
    metric : the one that decides; null: the task's main one
    new_features : whether a candidate may need other columns than the champion's callers send
    golden : csv or parquet file with rows that are asked about every time, beside the test rows; null: none
    keep_days : what is younger stays, whatever `mlcore gc` finds
    """

    model: str | None = None
    metric: str | None = None
    new_features: bool = False
    golden: str | None = None
    keep_days: int = 30

    def name_for(self, tags: dict[str, str]) -> str:
        """The registered model's name for a run with these ``tags``."""
        name = self.model or tags.get("data", "")
        if not name:
            raise ValueError("promote.model: the run does not name its data; set promote.model=NAME")
        return name
