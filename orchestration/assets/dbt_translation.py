"""How a dbt node is written down in Dagster: key, group, owners, description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject

from orchestration.assets.freshness import freshness_of

HOPS: Final = ("raw", "staging", "intermediate", "marts", "live")
DEFAULT_OWNERS: Final = ("team:analytics",)


class MillraceTranslator(DagsterDbtTranslator):
    """Keys are `schema/table` as in ClickHouse, groups are the hop words, descriptions come from YAML."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """Return what dagster-dbt makes of a node, and of a mart how fresh it has to be."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if spec.group_name != "marts":
            return spec
        return spec.replace_attributes(freshness_policy=freshness_of(spec.key.path[-1]))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return `schema/name`: what one types in ClickHouse is what one finds in the lineage."""
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Return the hop: the folder below `models/`, else the schema."""
        folders: Sequence[str] = dbt_resource_props.get("fqn", [])[1:-1]
        return next((folder for folder in folders if folder in HOPS), str(dbt_resource_props["schema"]))

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return the YAML's description as it is (dagster-dbt's default adds the whole SQL)."""
        return str(dbt_resource_props.get("description", ""))

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        """Return the owners that the YAML names, else the analytics team."""
        return super().get_owners(dbt_resource_props) or list(DEFAULT_OWNERS)
