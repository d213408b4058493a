{#- a browser that many people share stands for nobody from then on -#}
with periods as (
    {{ link_periods('person', ref('person_links'), ref('person_merges')) }}
),
crowds as (
    select
        {{ dbt.replace('value', "'key:anonymous id:'", "''") }} as anonymous_id,
        crowded_at
    from {{ ref('person_crowds') }}
    where value like 'key:anonymous id:%'
),
final as (
    select
        periods.source,
        periods.identifier,
        periods.recorded_person_id,
        periods.person_id,
        periods.linked_at,
        periods.counts_from,
        periods.valid_from,
        case when crowds.crowded_at < periods.valid_to then crowds.crowded_at else periods.valid_to end as valid_to
    from periods
    left join crowds on periods.source = 'anonymous id' and periods.identifier = crowds.anonymous_id
)
select * from final
where valid_from < valid_to
