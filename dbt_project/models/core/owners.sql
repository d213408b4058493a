with records as (
    {{ union_staging('owners', {
        'owner_id': 'string',
        'owner_name': 'string',
        'known_at': 'timestamp',
    }) }}
),
ranked as (
    select
        records.*,
        row_number() over (partition by source_system, owner_id order by known_at desc, loaded_at desc) as place
    from records
    where owner_id is not null
),
{#- an id that two systems give to two people says nothing -#}
final as (
    select
        owner_id,
        case when min(owner_name) = max(owner_name) then min(owner_name) end as owner_name
    from ranked
    where place = 1
    group by owner_id
)
select * from final
