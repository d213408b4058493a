"""Writing a draft into the project: its contract, its staging models and their YAML; all of it or nothing."""

import os
from pathlib import Path

from pipelines.extraction.configuration import DEFAULT_QUARANTINE_LIMIT
from pipelines.extraction.contracts import Source
from pipelines.new_source.contract import python_of
from pipelines.new_source.exports import Trial, trial
from pipelines.new_source.proposal import Draft
from pipelines.new_source.staging import staging_of, yaml_of


def files_of(draft: Draft, source: Source) -> dict[str, str]:
    """The files of a draft: path in the project → text."""
    folder, models = f"dbt_project/models/staging/{draft.name}", staging_of(draft)
    files = {f"{folder}/{model.name}.sql": model.sql for model in models}
    files[f"{folder}/_{draft.name}.yml"] = yaml_of(draft, models)
    return {**files, f"assets/sources/{draft.name}.py": python_of(source)}


def require_new(root: Path, name: str) -> None:
    """Raise FileExistsError where a source of this name is there."""
    for path in (f"assets/sources/{name}.py", f"dbt_project/models/staging/{name}"):
        if (root / path).exists():
            raise FileExistsError(f"{path} is there already. Edit it, or choose another --name.")


def tried(draft: Draft, source: Source) -> list[Trial]:
    """
    Load the files with the contract, into memory.

    Raises ValueError where more rows of a file would be put aside than a run allows.
    """
    results = trial(source, [(table.name, export.path) for table in draft.tables for export in table.exports])
    for each in results:
        aside = len(each.put_aside)
        if not each.rows or aside > DEFAULT_QUARANTINE_LIMIT * (each.rows + aside):
            raise ValueError(
                f"{each.path}: {aside:,} of {each.rows + aside:,} rows do not fit the columns that they are mapped to."
                f" The first: {each.put_aside[0] if each.put_aside else 'there are no rows'}. Map another column"
                f" (--map {each.entity}.OURS=COLUMN), or leave it out (--map {each.entity}.OURS=)."
            )
    return results


def write_source(root: Path, draft: Draft, source: Source) -> list[Path]:
    """Write the files, the contract last: Dagster may be loading the folder. Raises FileExistsError when one exists."""
    require_new(root, draft.name)
    written = []
    for name, text in files_of(draft, source).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
        written.append(path)
    return written
