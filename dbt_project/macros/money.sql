{#-
    Money has a unit. An amount and its currency (a code of ISO 4217) travel together, and two currencies are never added
    up: sums are by currency, or all amounts are in the reporting currency of `sources.yaml`, by dated rates.
-#}

{#- A currency as a code of ISO 4217; null for what is none. -#}
{% macro currency_code(expression) -%}
    case
        when upper(trim({{ expression }})) in ('{{ var('currency_decimals').keys() | sort | join("', '") }}')
            then upper(trim({{ expression }}))
    end
{%- endmacro %}

{#- The same, and the system's own where none is written. -#}
{% macro currency_or_default(expression, currency) -%}
    {%- if currency -%}
    case when nullif(trim({{ expression }}), '') is null then '{{ currency }}' else {{ currency_code(expression) }} end
    {%- else -%} {{ currency_code(expression) }}
    {%- endif -%}
{%- endmacro %}

{#- A currency as it is written, and the system's own where none is. -#}
{% macro written_currency(column, system) -%}
    {%- set own = money_settings().by_source.get(system) -%}
    {%- if own -%} coalesce(nullif(trim({{ column }}), ''), '{{ own }}') {%- else -%} {{ column }} {%- endif -%}
{%- endmacro %}

{#- How many of its smallest units (cents) a unit of a currency has; `digits` says where a vendor counts otherwise than ISO 4217. -#}
{% macro smallest_units(currency, digits={}) -%}
    {%- set by_digits = {} -%}
    {%- for code, iso in var('currency_decimals').items() -%}
        {%- set own = digits.get(code, iso) -%}
        {%- if own != 2 -%} {%- do by_digits.setdefault(own, []).append(code) -%} {%- endif -%}
    {%- endfor -%}
    case
        {%- for own, codes in by_digits.items() | sort %}
        when upper(trim({{ currency }})) in ('{{ codes | sort | join("', '") }}') then {{ 10 ** own }}.0
        {%- endfor %}
        else 100.0
    end
{%- endmacro %}

{#- An amount in a currency's smallest units as currency units. -#}
{% macro currency_units(amount, currency, digits={}) -%}
    {{ amount }} / {{ smallest_units(currency, digits) }}
{%- endmacro %}

{#-
    A measure of size for amounts in several currencies, to choose the main one by: in smallest units, as nothing better is
    known without rates (a yen counts as a cent). Never a sum to show.
-#}
{% macro size_of_amount(amount, currency) -%}
    abs({{ amount }}) * {{ smallest_units(currency) }}
{%- endmacro %}

{#- How many months a price is for: the interval in any spelling (month, Yearly, every 3 months, P1Y) and its count; null if unknown. -#}
{% macro months_per_bill(interval, count) -%}
    {%- set words = "lower(trim(" ~ interval ~ "))" -%}
    {%- set number = "coalesce(" ~ count ~ ", " ~ dbt.safe_cast("nullif(" ~ digits_of(interval) ~ ", '')", dbt.type_int()) ~ ", 1)" -%}
    case
        {%- for months, pattern in [
            ('24.0', '^(biennial(ly)?|every two years|two years?|zweijähr(ig|lich))$'),
            ('6.0', '^(semi-? ?annual(ly)?|half-? ?year(ly)?|bi-?annual(ly)?|halbjahr|halbjährlich)$'),
            ('3.0', '^(quarter(ly)?|quartal(sweise)?|vierteljahr|vierteljährlich|trimestr(e|iel))$'),
            ('(12.0 * 14 / 365)', '^(fortnight(ly)?|bi-?weekly|vierzehntäglich)$')
        ] %}
        when {{ matches(words, pattern) }} then {{ months }} * coalesce({{ count }}, 1)
        {%- endfor %}
        {%- for months, pattern in [
            ('12.0', '(years?|yearly|annual(ly)?|annum|yrs?|yr|y|jahre?|jährlich|an|ans|annuel)'),
            ('1.0', '(months?|monthly|mon|mo|mth|m|monate?|monatlich|mois|mensuel)'),
            ('(12.0 * 7 / 365)', '(weeks?|weekly|wk|w|wochen?|wöchentlich|semaines?)'),
            ('(12.0 / 365)', '(days?|daily|d|tage?|täglich|jours?)')
        ] %}
        when {{ matches(words, '^(every|each|per|p|alle|pro|je|tous les)?[ _-]*[0-9]*[ _-]*' ~ pattern ~ '$') }} then {{ months }} * {{ number }}
        {%- endfor %}
    end
{%- endmacro %}

{% macro digits_of(text) -%} {{ return(adapter.dispatch('digits_of')(text)) }} {%- endmacro %}
{% macro default__digits_of(text) -%} regexp_replace({{ text }}, '[^0-9]', '') {%- endmacro %}
{% macro duckdb__digits_of(text) -%} regexp_replace({{ text }}, '[^0-9]', '', 'g') {%- endmacro %}

{#- What `sources.yaml` says: {reporting_currency, free_plans, by_source}; nothing while dbt only parses. -#}
{% macro money_settings() %}
    {%- set settings = {'reporting_currency': none, 'free_plans': false, 'by_source': {}} -%}
    {%- if execute -%}
        {%- set as_of = source('raw_scorecast', 'as_of') -%}
        {%- for row in run_query(
            'select reporting_currency, free_plans, source, currency from ' ~ beside(as_of, 'settings')
            ~ ' left join ' ~ beside(as_of, 'source_currencies') ~ ' on true'
        ) -%}
            {%- do settings.update({'reporting_currency': row[0], 'free_plans': row[1]}) -%}
            {%- if row[2] -%} {%- do settings.by_source.update({row[2]: row[3]}) -%} {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(settings) }}
{% endmacro %}

{#- Rates of a relation's currency on a day, as `exchange_rates`; nothing without a reporting currency. -#}
{% macro join_exchange_rates(relation, day) -%}
    {%- set rates = ref('exchange_rates') -%}
    {%- if money_settings().reporting_currency %}
    left join {{ rates }} as exchange_rates
        on {{ relation }}.currency = exchange_rates.currency
        and cast({{ day }} as date) >= exchange_rates.since_date
        and cast({{ day }} as date) < exchange_rates.until_date
    {%- endif -%}
{%- endmacro %}

{#- The columns of a converted row: its currency, that in which it was recorded, and the rate between the two (1 if none). -#}
{% macro converted_currency(relation) -%}
    {%- set reporting = money_settings().reporting_currency -%}
        {%- if reporting %}
        case when exchange_rates.rate is null then {{ relation }}.currency else '{{ reporting }}' end as currency,
        {{ relation }}.currency as recorded_currency,
        coalesce(exchange_rates.rate, 1.0) as exchange_rate,
        {%- else %}
        {{ relation }}.currency,
        {{ relation }}.currency as recorded_currency,
        cast(1.0 as {{ type_double() }}) as exchange_rate,
        {%- endif -%}
{%- endmacro %}

{#- An amount of a row that is joined with `exchange_rates`. -#}
{% macro converted(amount) -%}
    {%- if money_settings().reporting_currency -%} {{ amount }} * coalesce(exchange_rates.rate, 1.0)
    {%- else -%} {{ amount }}
    {%- endif -%}
{%- endmacro %}

{#-
    An amount for features to add up: null where it is in another currency than the company's first. Which that is does not
    change later, so neither do the sums.
-#}
{% macro in_first_currency(amount, key) -%}
    case
        when coalesce(currency, '') = first_value(coalesce(currency, '')) over (
            partition by recorded_account_id order by known_at, {{ key }}
            rows between unbounded preceding and unbounded following
        )
            then {{ amount }}
    end
{%- endmacro %}

{#- An amount in a company's main currency: null where all there is of it, `most`, is in others; zero where there is none. -#}
{% macro unless_elsewhere(amount, most) -%}
    case when coalesce({{ amount }}, 0) <> 0 or coalesce({{ most }}, 0) = 0 then coalesce({{ amount }}, 0) end
{%- endmacro %}
