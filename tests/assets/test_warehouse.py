"""The dbt project as assets: what the UI calls a table is what users query."""

from pipelines.settings import dbt_project_dir


def test_an_asset_is_called_as_its_table():
    from assets.warehouse import MANIFEST, ROOMS

    models = [node for node in MANIFEST["nodes"].values() if node["resource_type"] == "model"]
    keys = [ROOMS.get_asset_key(node).path for node in models]
    assert len(set(map(tuple, keys))) == len(models) >= len(list(dbt_project_dir().glob("models/**/*.sql")))
    assert {tuple(key) for key in keys if key[0] == "published"} == {("published", "accounts"), ("published", "people")}
    assert ["core", "accounts"] in keys
