{#-
    Who is who, for companies and for people alike, in five steps; each only looks back in time, so that what was linked
    by some day is the same whether or not later rows exist.

    evidence  one row per identifier (a record of some system) and value that speaks for it: its own key, another record's
              key, an e-mail address, a company domain; with the time from which we knew.
    matches   per identifier and value: the identifier that was first known with the same value. Followers (anonymous
              ids: a browser that several people may share) are never the first.
    links     an identifier is linked once, when it becomes known, by the strongest match known by then
              (exact key, then e-mail, then company domain); without one it starts an entity of its own.
    crowds    values that stand with many names: from then on a value speaks for nobody. So placeholders end that are on no
              list, and addresses that many share.
    merges    what is found out later joins entities: a merge in the source system, or a match of an identifier that
              had started an entity of its own.
-#}
{#- How many names may stand with one e-mail address (or addresses with one browser), and with one company's domain. -#}
{% macro most_names(value) -%} case when {{ value }} like 'domain:%' then 25 else 6 end {%- endmacro %}

{#- The values that stand with more names than `most_names`, from when on, and with how many in the end. -#}
{% macro crowded_values(evidence) %}
    with evidence as (
        select * from {{ evidence }}
    ),
    named as (
        select
            value,
            name,
            known_at
        from evidence
        where rule in ('e-mail', 'company domain') and is_follower = 0
        union all
        select
            'key:' || source || ':' || identifier as value,
            value as name,
            known_at
        from evidence
        where rule = 'e-mail' and is_follower = 1
    ),
    names as (
        select
            value,
            name,
            min(known_at) as known_at
        from named
        where value is not null and name is not null and known_at is not null
        group by value, name
    ),
    counted as (
        select
            value,
            known_at,
            row_number() over (partition by value order by known_at) as place,
            count(*) over (partition by value) as names
        from names
    ),
    final as (
        select
            value,
            names,
            known_at as crowded_at
        from counted
        where place = {{ most_names('value') }} + 1
    )
    select * from final
{% endmacro %}

{% macro match_identifiers(evidence, crowds) %}
    {%- set first = "over (partition by value order by is_follower, known_at, born_at, is_register desc, is_derived, source, identifier)" -%}
    with evidence as (
        select
            source,
            identifier,
            rule,
            value,
            max(is_register) as is_register,
            max(is_derived) as is_derived,
            max(is_follower) as is_follower,
            min(known_at) as known_at
        from {{ evidence }}
        where value is not null and known_at is not null
        group by source, identifier, rule, value
    ),
    identifiers as (
        select
            source,
            identifier,
            min(known_at) as born_at
        from evidence
        where rule = 'own'
        group by source, identifier
    ),
    held as (
        select
            evidence.source,
            evidence.identifier,
            evidence.rule,
            evidence.value,
            evidence.is_register,
            evidence.is_derived,
            evidence.is_follower,
            identifiers.born_at,
            greatest(evidence.known_at, identifiers.born_at) as known_at
        from evidence
        inner join identifiers
            on evidence.source = identifiers.source and evidence.identifier = identifiers.identifier
    ),
    {#- where a crowd is known of at once, the value never spoke for anybody -#}
    telling as (
        select held.*
        from held
        left join {{ crowds }} as crowds on held.value = crowds.value
        where crowds.value is null or held.known_at < crowds.crowded_at
    ),
    compared as (
        select
            telling.*,
            first_value(source) {{ first }} as matched_source,
            first_value(identifier) {{ first }} as matched_identifier,
            first_value(known_at) {{ first }} as matched_known_at,
            row_number() over (partition by value, source order by known_at, born_at, identifier) as place_in_source
        from telling
    ),
    {#- two records of a register of companies are two companies, unless the register itself merges them -#}
    matches as (
        select
            source,
            identifier,
            case
                when value like 'e-mail:%' then 'e-mail'
                when value like 'domain:%' then 'company domain'
                else 'exact key'
            end as rule,
            case when value like 'e-mail:%' then 2 when value like 'domain:%' then 3 else 1 end as rule_order,
            value,
            born_at,
            known_at,
            matched_source,
            matched_identifier,
            matched_known_at
        from compared
        where
            not (source = matched_source and identifier = matched_identifier)
            and (
                rule in ('own', 'exact key')
                or is_register = 0
                or (place_in_source = 1 and source <> matched_source)
            )
    )
    select * from matches
{% endmacro %}

{#- `hashed` hides what the id was made of. Columns: source, identifier, <entity>_id, rule, known_at, matched_source, matched_identifier. -#}
{% macro link_identifiers(entity, evidence, matches, hashed=false) %}
    {%- set root = "root_source || ':' || root_identifier" -%}
    with recursive identifiers as (
        select
            source,
            identifier,
            min(known_at) as known_at
        from {{ evidence }}
        where rule = 'own' and value is not null and known_at is not null
        group by source, identifier
    ),
    ranked_matches as (
        select
            source,
            identifier,
            rule,
            matched_source,
            matched_identifier,
            row_number() over (
                partition by source, identifier
                order by rule_order, matched_known_at, matched_source, matched_identifier
            ) as place
        from {{ matches }}
        where known_at = born_at
    ),
    parents as (
        select
            identifiers.source,
            identifiers.identifier,
            identifiers.known_at,
            coalesce(ranked_matches.rule, 'own') as rule,
            ranked_matches.matched_source,
            ranked_matches.matched_identifier
        from identifiers
        left join ranked_matches
            on identifiers.source = ranked_matches.source
            and identifiers.identifier = ranked_matches.identifier
            and ranked_matches.place = 1
    ),
    linked as (
        select
            parents.*,
            source as root_source,
            identifier as root_identifier
        from parents
        where rule = 'own'
        union all
        select
            parents.*,
            linked.root_source,
            linked.root_identifier
        from parents
        inner join linked
            on parents.matched_source = linked.source and parents.matched_identifier = linked.identifier
    ),
    final as (
        select
            source,
            identifier,
            {{ text_hash(root) if hashed else root }} as {{ entity }}_id,
            rule,
            known_at,
            matched_source,
            matched_identifier
        from linked
    )
    select * from final
{% endmacro %}

{#- `record_merges`: source, identifier, surviving_identifier, known_at, as the source systems say. An entity merges once, by what was known first. -#}
{% macro merge_entities(entity, links, matches, record_merges) %}
    {%- set id = entity ~ '_id' -%}
    with recursive links as (
        select * from {{ links }}
    ),
    said_by_sources as (
        select
            loser.{{ id }},
            survivor.{{ id }} as surviving_{{ id }},
            'merged in ' || merges.source as reason,
            0 as reason_order,
            greatest(merges.known_at, loser.known_at, survivor.known_at) as known_at
        from {{ record_merges }} as merges
        inner join links as loser
            on merges.source = loser.source and merges.identifier = loser.identifier
        inner join links as survivor
            on merges.source = survivor.source and merges.surviving_identifier = survivor.identifier
    ),
    found_later as (
        select
            case when own.rule = 'own' then own.{{ id }} else matched.{{ id }} end as {{ id }},
            case when own.rule = 'own' then matched.{{ id }} else own.{{ id }} end as surviving_{{ id }},
            matches.rule as reason,
            matches.rule_order as reason_order,
            matches.known_at
        from {{ matches }} as matches
        inner join links as own
            on matches.source = own.source and matches.identifier = own.identifier
        inner join links as matched
            on matches.matched_source = matched.source and matches.matched_identifier = matched.identifier
        where
            matches.known_at > matches.born_at
            and (own.rule = 'own' or (matches.rule = 'exact key' and matched.rule = 'own'))
    ),
    candidates as (
        select * from said_by_sources
        union all
        select * from found_later
    ),
    ranked as (
        select
            candidates.*,
            row_number() over (
                partition by {{ id }} order by known_at, reason_order, surviving_{{ id }}
            ) as place
        from candidates
        where {{ id }} <> surviving_{{ id }}
    ),
    merges as (
        select
            {{ id }},
            surviving_{{ id }},
            reason,
            known_at
        from ranked
        where place = 1
    ),
    {#- a ring of merges would leave nobody: the last merge of a ring says nothing new and is dropped -#}
    walks as (
        select
            {{ id }} as start_id,
            surviving_{{ id }} as reached_id,
            {{ id }} as latest_id,
            known_at as latest_at,
            1 as steps
        from merges
        union all
        select
            walks.start_id,
            merges.surviving_{{ id }} as reached_id,
            case
                when merges.known_at > walks.latest_at
                    or (merges.known_at = walks.latest_at and merges.{{ id }} > walks.latest_id)
                    then merges.{{ id }}
                else walks.latest_id
            end as latest_id,
            greatest(merges.known_at, walks.latest_at) as latest_at,
            walks.steps + 1 as steps
        from walks
        inner join merges on walks.reached_id = merges.{{ id }}
        where walks.reached_id <> walks.start_id and walks.steps < 50
    ),
    ring_ends as (
        select distinct latest_id
        from walks
        where reached_id = start_id
    ),
    final as (
        select merges.*
        from merges
        left join ring_ends on merges.{{ id }} = ring_ends.latest_id
        where ring_ends.latest_id is null
    )
    select * from final
{% endmacro %}

{#- Which entity an identifier stood for at which time: one row per identifier and period. `<entity>_id` survives today. -#}
{% macro link_periods(entity, links, merges) %}
    {%- set id = entity ~ '_id' -%}
    with recursive links as (
        select * from {{ links }}
    ),
    merges as (
        select * from {{ merges }}
    ),
    steps as (
        select
            {{ id }} as start_id,
            surviving_{{ id }} as reached_id,
            known_at,
            1 as step
        from merges
        union all
        select
            steps.start_id,
            merges.surviving_{{ id }} as reached_id,
            greatest(steps.known_at, merges.known_at) as known_at,
            steps.step + 1 as step
        from steps
        inner join merges on steps.reached_id = merges.{{ id }}
    ),
    stations as (
        select
            source,
            identifier,
            {{ id }} as recorded_{{ id }},
            known_at as valid_from,
            known_at as linked_at,
            0 as step
        from links
        union all
        select
            links.source,
            links.identifier,
            steps.reached_id as recorded_{{ id }},
            greatest(links.known_at, steps.known_at) as valid_from,
            links.known_at as linked_at,
            steps.step
        from links
        inner join steps on links.{{ id }} = steps.start_id
    ),
    periods as (
        select
            source,
            identifier,
            recorded_{{ id }},
            linked_at,
            valid_from,
            coalesce(
                lead(valid_from) over (partition by source, identifier order by step), {{ end_of_time() }}
            ) as valid_to,
            last_value(recorded_{{ id }}) over (
                partition by source, identifier order by step
                rows between unbounded preceding and unbounded following
            ) as {{ id }}
        from stations
    ),
    final as (
        select
            source,
            identifier,
            recorded_{{ id }},
            {{ id }},
            linked_at,
            case
                when row_number() over (partition by source, identifier order by valid_from) = 1 then {{ start_of_time() }}
                else valid_from
            end as counts_from,
            valid_from,
            valid_to
        from periods
        where valid_from < valid_to
    )
    select * from final
{% endmacro %}

{#-
    Join condition: the period of a link in which a row became known. A row that was known before its identifier was
    linked belongs to the first period (it counts from the start of time) and becomes known with the link: take
    `known_with_link(...)` as its known_at. Each comparison has one table a side, which lets engines hash the join.
-#}
{% macro on_link(link, source, identifier, known_at) -%}
    {{ link }}.source = {{ source }}
    and {{ link }}.identifier = {{ identifier }}
    and {{ known_at }} >= {{ link }}.counts_from
    and {{ known_at }} < {{ link }}.valid_to
{%- endmacro %}

{% macro known_with_link(known_at, link) -%}
    greatest({{ known_at }}, coalesce({{ link }}.linked_at, {{ known_at }}))
{%- endmacro %}

{#- The systems that know an entity, in the order of the alphabet and with commas between; of those that have records of it. -#}
{% macro systems_that_know(entity, periods, records) -%}
    select
        {{ entity }}_id,
        {{ dbt.listagg('source', "', '", 'order by source') }} as known_from
    from (
        select distinct
            {{ entity }}_id,
            source
        from {{ periods }}
        where
            {{ entity }}_id is not null
            and valid_to = {{ end_of_time() }}
            and source in (select source_system from {{ records }})
    ) as systems
    group by {{ entity }}_id
{%- endmacro %}

{#-
    What a value that several identifiers may have (a handle, a company's name) says of the rows that have it: one row per
    row of which only one entity had the value. `claims`: the row's `key`, `row_known_at`, and `source`, `identifier` and
    `known_at` of each identifier with the value. `claimed_at` is when both were known; who gets the value later changes
    nothing for that row, so that what was said of it by some day is the same whether or not later rows exist.
-#}
{% macro sole_claims(entity, key, claims) %}
    select
        {{ key }},
        source,
        identifier,
        claimed_at
    from (
        select
            claimed.{{ key }},
            claimed.source,
            claimed.identifier,
            claimed.claimed_at,
            row_number() over (
                partition by claimed.{{ key }} order by claimed.known_at, claimed.source, claimed.identifier
            ) as place,
            min(link.recorded_{{ entity }}_id) over (partition by claimed.{{ key }}) as first_id,
            max(link.recorded_{{ entity }}_id) over (partition by claimed.{{ key }}) as last_id
        from (
            select
                claims.*,
                greatest(row_known_at, min(known_at) over (partition by {{ key }})) as claimed_at
            from {{ claims }} as claims
        ) as claimed
        inner join {{ entity }}_link_periods as link
            on {{ on_link('link', 'claimed.source', 'claimed.identifier', 'claimed.claimed_at') }}
        where claimed.known_at <= claimed.claimed_at
    ) as linked
    where place = 1 and first_id = last_id
{% endmacro %}
