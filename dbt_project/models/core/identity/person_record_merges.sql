{{ config(materialized='view') }}

with records as (
    select * from {{ ref('person_records') }}
),
merges as (
    select
        source_system as source,
        person_key as identifier,
        merged_into_key as surviving_identifier,
        min(known_at) as known_at
    from records
    where merged_into_key is not null and merged_into_key <> person_key
    group by source_system, person_key, merged_into_key
)
select * from merges
