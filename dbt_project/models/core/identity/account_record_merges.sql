{{ config(materialized='view') }}

with records as (
    select * from {{ ref('account_records') }}
),
merges as (
    select
        source_system as source,
        account_key as identifier,
        merged_into_key as surviving_identifier,
        min(known_at) as known_at
    from records
    where merged_into_key is not null and merged_into_key <> account_key
    group by source_system, account_key, merged_into_key
)
select * from merges
