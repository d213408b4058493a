{{ config(alias='keyword_performance') }}
{#- how many visitors a keyword needs to be ranked by its rate, and as if how many more it had -#}
{%- set enough_visitors = 30 -%}
{%- set as_if = 100 -%}
{%- set touches = ['', 'first_touch_', 'last_touch_'] -%}

with article_tags as (
    {{ scored_texts('article_tag', {'article_id': 'string', 'tag': 'string'}) }}
),
keywords as (
    select distinct
        article_id,
        trim(tag) as keyword
    from article_tags
    where nullif(trim(tag), '') is not null
),
articles as (
    select distinct
        articles.article_id,
        {{ last_segment('articles.slug') }} as slug
    from {{ ref('articles') }} as articles
    inner join keywords on articles.article_id = keywords.article_id
),
page_views as (
    select * from {{ ref('page_views') }}
),
visits as (
    select * from {{ ref('visits') }}
),
paths as (
    select distinct path
    from page_views
),
article_paths as (
    select
        paths.path,
        articles.article_id
    from paths
    inner join articles on {{ last_segment('paths.path') }} = articles.slug
),
{#- whose a read is: the visit's visitor, who may have told an address, else the browser's -#}
reads as (
    select
        page_views.page_view_key,
        article_paths.article_id,
        coalesce(visits.person_id, page_views.person_id) as person_id,
        coalesce(visits.account_id, page_views.account_id) as account_id,
        coalesce(
            visits.person_id, page_views.person_id, 'browser:' || page_views.person_key, 'page view:' || page_views.page_view_key
        ) as visitor,
        page_views.occurred_at
    from page_views
    inner join article_paths on page_views.path = article_paths.path
    left join visits
        on page_views.source_system = visits.source_system
        and page_views.visit_id = visits.visit_id
    where page_views.occurred_at is not null
),
leads as (
    select
        source_system || ':' || lead_id as item,
        source_system,
        person_id,
        converted_opportunity_id,
        is_converted,
        coalesce(occurred_at, known_at) as occurred_at
    from {{ ref('leads') }}
    where not is_deleted and merged_into_lead_id is null
),
opportunities as (
    select
        source_system || ':' || opportunity_id as item,
        source_system,
        opportunity_id,
        account_id,
        is_won,
        case when is_won then amount end as won_amount,
        currency,
        coalesce(occurred_at, known_at) as occurred_at
    from {{ ref('opportunities') }}
    where deleted_at is null
),
reads_before_leads as (
    select
        leads.item,
        reads.page_view_key,
        reads.article_id,
        reads.occurred_at
    from leads
    inner join reads on leads.person_id = reads.person_id and reads.occurred_at < leads.occurred_at
),
{#- a deal's readers are the people of its company, and who became the lead that it was made of -#}
reads_before_opportunities as (
    select
        opportunities.item,
        reads.page_view_key,
        reads.article_id,
        reads.occurred_at
    from opportunities
    inner join reads on opportunities.account_id = reads.account_id and reads.occurred_at < opportunities.occurred_at
    union
    select
        opportunities.item,
        reads.page_view_key,
        reads.article_id,
        reads.occurred_at
    from opportunities
    inner join leads
        on opportunities.source_system = leads.source_system
        and opportunities.opportunity_id = leads.converted_opportunity_id
    inner join reads on leads.person_id = reads.person_id and reads.occurred_at < opportunities.occurred_at
),
{%- for many in ['leads', 'opportunities'] %}
ordered_before_{{ many }} as (
    select
        item,
        article_id,
        dense_rank() over (partition by item order by occurred_at, page_view_key) as place,
        dense_rank() over (partition by item order by occurred_at desc, page_view_key desc) as place_from_last
    from reads_before_{{ many }}
),
{{ many }}_of_keywords as (
    select
        keywords.keyword,
        ordered_reads.item,
        max(case when ordered_reads.place = 1 then 1 else 0 end) as is_first,
        max(case when ordered_reads.place_from_last = 1 then 1 else 0 end) as is_last
    from ordered_before_{{ many }} as ordered_reads
    inner join keywords on ordered_reads.article_id = keywords.article_id
    group by keywords.keyword, ordered_reads.item
),
{%- endfor %}
reach as (
    select
        keywords.keyword,
        count(distinct keywords.article_id) as articles,
        count(distinct reads.page_view_key) as page_views,
        count(distinct reads.visitor) as visitors
    from keywords
    left join reads on keywords.article_id = reads.article_id
    group by keywords.keyword
),
lead_counts as (
    select
        leads_of_keywords.keyword,
        count(distinct leads.person_id) as visitors_with_lead,
        {%- for touch, counts in zip(touches, ['1', 'is_first', 'is_last']) %}
        sum({{ counts }}) as {{ touch }}leads,
        sum(case when leads.is_converted then {{ counts }} else 0 end) as {{ touch }}converted_leads{{ ',' if not loop.last }}
        {%- endfor %}
    from leads_of_keywords
    inner join leads on leads_of_keywords.item = leads.item
    group by leads_of_keywords.keyword
),
opportunity_counts as (
    select
        opportunities_of_keywords.keyword,
        {%- for touch, counts in zip(touches, ['1', 'is_first', 'is_last']) %}
        sum({{ counts }}) as {{ touch }}opportunities,
        sum(case when opportunities.is_won then {{ counts }} else 0 end) as {{ touch }}won_opportunities{{ ',' if not loop.last }}
        {%- endfor %}
    from opportunities_of_keywords
    inner join opportunities on opportunities_of_keywords.item = opportunities.item
    group by opportunities_of_keywords.keyword
),
won_amounts as (
    select
        opportunities_of_keywords.keyword,
        opportunities.currency,
        {%- for touch, counts in zip(touches, ['1', 'is_first', 'is_last']) %}
        sum(opportunities.won_amount * {{ counts }}) as {{ touch }}won_amount{{ ',' if not loop.last }}
        {%- endfor %}
    from opportunities_of_keywords
    inner join opportunities on opportunities_of_keywords.item = opportunities.item
    where opportunities.won_amount is not null
    group by opportunities_of_keywords.keyword, opportunities.currency
),
numbered_amounts as (
    select
        won_amounts.*,
        row_number() over (
            partition by keyword order by {{ size_of_amount('won_amount', 'currency') }} desc, currency
        ) as place
    from won_amounts
),
{#- the shares that all keywords have together, each visitor and lead once -#}
overall as (
    select
        coalesce(with_lead.visitors * 1.0 / nullif(everybody.visitors, 0), 0) as lead_rate,
        coalesce(with_lead.converted_leads * 1.0 / nullif(with_lead.leads, 0), 0) as conversion_rate
    from (select count(distinct visitor) as visitors from reads) as everybody
    cross join (
        select
            count(distinct leads.person_id) as visitors,
            count(*) as leads,
            coalesce(sum(case when leads.is_converted then 1 else 0 end), 0) as converted_leads
        from leads
        where leads.item in (select item from leads_of_keywords)
    ) as with_lead
),
counted as (
    select
        reach.*,
        coalesce(lead_counts.visitors_with_lead, 0) as visitors_with_lead,
        {%- for touch in touches %}
        coalesce(lead_counts.{{ touch }}leads, 0) as {{ touch }}leads,
        coalesce(lead_counts.{{ touch }}converted_leads, 0) as {{ touch }}converted_leads,
        coalesce(opportunity_counts.{{ touch }}opportunities, 0) as {{ touch }}opportunities,
        coalesce(opportunity_counts.{{ touch }}won_opportunities, 0) as {{ touch }}won_opportunities,
        {%- endfor %}
        overall.lead_rate as overall_lead_rate,
        overall.conversion_rate as overall_conversion_rate
    from reach
    cross join overall
    left join lead_counts on reach.keyword = lead_counts.keyword
    left join opportunity_counts on reach.keyword = opportunity_counts.keyword
),
rated as (
    select
        counted.*,
        {%- for name, count, total in [('lead_rate', 'visitors_with_lead', 'visitors'), ('conversion_rate', 'converted_leads', 'leads')] %}
        {{ shrunk_share(count, total, 'overall_' ~ name, as_if) }} as {{ name }},
        {{ share_bound(-1, count, total, 'overall_' ~ name, as_if) }} as {{ name }}_low,
        {{ share_bound(1, count, total, 'overall_' ~ name, as_if) }} as {{ name }}_high,
        {%- endfor %}
        visitors >= {{ enough_visitors }} as has_enough_visitors
    from counted
),
ranked as (
    select
        rated.*,
        row_number() over (
            order by case when has_enough_visitors then 0 else 1 end, lead_rate_low desc, visitors desc, keyword
        ) as rank
    from rated
),
final as (
    select
        ranked.rank,
        ranked.keyword,
        amounts.currency,
        coalesce(amounts.place, 1) = 1 as is_main_currency,
        ranked.articles,
        ranked.page_views,
        ranked.visitors,
        ranked.visitors_with_lead,
        ranked.has_enough_visitors,
        {%- for name in ['lead_rate', 'conversion_rate'] %}
        ranked.{{ name }},
        ranked.{{ name }}_low,
        ranked.{{ name }}_high,
        {%- endfor %}
        {%- for touch in touches %}
        {%- for count in ['leads', 'converted_leads', 'opportunities', 'won_opportunities'] %}
        cast(ranked.{{ touch }}{{ count }} as {{ dbt.type_bigint() }}) as {{ touch }}{{ count }},
        {%- endfor %}
        coalesce(amounts.{{ touch }}won_amount, 0) as {{ touch }}won_amount,
        {%- endfor %}
        {{ as_of_date() }} as as_of_date
    from ranked
    left join numbered_amounts as amounts on ranked.keyword = amounts.keyword
)
select * from final
