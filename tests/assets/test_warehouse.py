"""The dbt project as assets: what the UI calls a table is what users query."""

from pipelines.settings import dbt_project_dir


def test_an_asset_is_called_as_its_table():
    from assets.warehouse import defs

    keys = [key.path for asset in defs.assets for key in asset.keys]
    assert len(set(map(tuple, keys))) == len(keys) >= len(list(dbt_project_dir().glob("models/**/*.sql")))
    published = {key[1] for key in keys if key[0] == "published"}
    assert published == {"account_amounts", "accounts", "people", "identity_report", "keyword_performance"}
    assert ["core", "accounts"] in keys
