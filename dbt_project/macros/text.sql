{#- An e-mail address as a key: lower case, trimmed; null if it is none. -#}
{% macro normalised_email(column) -%}
    case when {{ column }} like '%_@_%' then lower(trim({{ column }})) end
{%- endmacro %}

{#- The domain of an e-mail address. -#}
{% macro email_domain(column) -%}
    case when {{ column }} like '%_@_%' then {{ dbt.split_part('lower(trim(' ~ column ~ '))', "'@'", 2) }} end
{%- endmacro %}

{#- The domain of a web address: no scheme, no www, no path, no port. -#}
{% macro website_domain(column) -%}
    nullif(regexp_replace(regexp_replace(lower(trim({{ column }})), '^([a-z]+://)?(www[.])?', ''), '[/:?#].*$', ''), '')
{%- endmacro %}

{#- A domain that says which company someone is from: null for mail providers that anybody can use. -#}
{% macro company_domain(domain) -%}
    case when {{ domain }} not in ({{ free_mail_domains() }}) then {{ domain }} end
{%- endmacro %}

{% macro free_mail_domains() -%}
    {%- set domains = [
        'aol.com', 'bluewin.ch', 'btinternet.com', 'comcast.net', 'duck.com', 'email.com', 'fastmail.com', 'free.fr',
        'freenet.de', 'gmail.com', 'gmx.at', 'gmx.ch', 'gmx.com', 'gmx.de', 'gmx.net', 'googlemail.com', 'hey.com',
        'hotmail.co.uk', 'hotmail.com', 'hotmail.de', 'hotmail.es', 'hotmail.fr', 'hotmail.it', 'hushmail.com',
        'icloud.com', 'inbox.com', 'laposte.net', 'libero.it', 'live.co.uk', 'live.com', 'live.fr', 'live.nl', 'mac.com',
        'mail.com', 'mail.ru', 'me.com', 'msn.com', 'naver.com', 'orange.fr', 'outlook.com', 'outlook.de', 'outlook.fr',
        'pm.me', 'posteo.de', 'proton.me', 'protonmail.com', 'qq.com', 'rediffmail.com', 'rocketmail.com', 'sbcglobal.net',
        'sfr.fr', 't-online.de', 'tutanota.com', 'uol.com.br', 'verizon.net', 'wanadoo.fr', 'web.de', 'yahoo.ca',
        'yahoo.co.in', 'yahoo.co.jp', 'yahoo.co.uk', 'yahoo.com', 'yahoo.com.au', 'yahoo.com.br', 'yahoo.de', 'yahoo.es',
        'yahoo.fr', 'yahoo.in', 'yahoo.it', 'yandex.com', 'yandex.ru', 'ymail.com', 'zoho.com', '126.com', '163.com'
    ] -%}
    {%- for domain in domains %}'{{ domain }}'{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}

{#- A vendor's word as one of the words that we know, else 'other'; null stays null. Spaces, dashes and case do not count. -#}
{% macro one_of(column, known) -%}
    case
        when {{ column }} is null then null
        {%- for word in known %}
        when replace(replace(lower(trim({{ column }})), ' ', '_'), '-', '_') = '{{ word }}' then '{{ word }}'
        {%- endfor %}
        else 'other'
    end
{%- endmacro %}

{#- The first item of a list that is written as text: `a.com,b.com`, `["a.com", "b.com"]` or `[a.com, b.com]`. -#}
{% macro first_listed(column) -%}
    nullif(regexp_replace({{ dbt.split_part("regexp_replace(" ~ column ~ ", '^[^a-zA-Z0-9]+', '')", "','", 1) }}, '[^a-zA-Z0-9.-]+$', ''), '')
{%- endmacro %}

{#- What an export writes for one of us: a name where it writes names, null where it writes numeric ids. -#}
{% macro name_not_number(column) -%}
    nullif(regexp_replace(trim({{ column }}), '^[0-9]+$', ''), '')
{%- endmacro %}

{#- What a page of our site is about, by the first word of its path. -#}
{% macro page_kind(path) -%}
    case
        when {{ path }} is null then null
        when {{ path }} in ('', '/') then 'home'
        when lower({{ path }}) like '/pricing%' or lower({{ path }}) like '/plans%' then 'pricing'
        when lower({{ path }}) like '/product%' or lower({{ path }}) like '/feature%' or lower({{ path }}) like '/integration%' then 'product'
        when lower({{ path }}) like '/doc%' or lower({{ path }}) like '/help%' or lower({{ path }}) like '/support%' then 'help'
        when lower({{ path }}) like '/blog%' or lower({{ path }}) like '/article%' then 'blog'
        when lower({{ path }}) like '/demo%' or lower({{ path }}) like '/contact%' or lower({{ path }}) like '/signup%' or lower({{ path }}) like '/trial%' then 'contact'
        when lower({{ path }}) like '/customer%' or lower({{ path }}) like '/case%' then 'customers'
        when lower({{ path }}) like '/career%' or lower({{ path }}) like '/job%' then 'careers'
        when lower({{ path }}) like '/cancel%' or lower({{ path }}) like '/account%' or lower({{ path }}) like '/billing%' then 'account'
        else 'other'
    end
{%- endmacro %}

{#- What kind of marketing a campaign is. -#}
{% macro campaign_kind(type) -%}
    case
        when {{ type }} is null then null
        when lower({{ type }}) like '%webinar%' then 'webinar'
        when lower({{ type }}) like '%conference%' or lower({{ type }}) like '%event%' or lower({{ type }}) like '%trade%show%' then 'event'
        when lower({{ type }}) like '%mail%' then 'email'
        when lower({{ type }}) like '%ad%' or lower({{ type }}) like '%paid%' then 'advertising'
        when lower({{ type }}) like '%content%' or lower({{ type }}) like '%whitepaper%' then 'content'
        when lower({{ type }}) like '%partner%' or lower({{ type }}) like '%referral%' then 'partner'
        else 'other'
    end
{%- endmacro %}
