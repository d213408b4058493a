"""staging.*, core.*, features.* and the dbt-made part of published.*: the dbt project, one asset per model."""

from pipelines.transformation.assets import warehouse_definitions

defs = warehouse_definitions()
