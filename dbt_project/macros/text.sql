{#-
    What people and programs write where a value should stand is no value. `nothing_words` and `nobody_words` come from
    `pipelines/values`, where `predict` and the loader have them from, too.
-#}

{#- A column of staging in the form in which core keeps and compares it, by our name of it. -#}
{% macro meant(name, expression) -%}
    {%- if name == 'email' -%} {{ normalised_email(expression) }}
    {%- elif name == 'domain' -%} {{ company_domain(website_domain(expression)) }}
    {%- elif name == 'phone' -%} {{ phone_number(expression) }}
    {%- elif name in [
        'account_name', 'account_type', 'city', 'company', 'device', 'first_name', 'full_name', 'industry', 'last_name',
        'lead_source', 'linkedin_profile', 'owner_name', 'plan', 'product', 'rating', 'source', 'title', 'twitter_handle'
    ] -%} {{ unless_nothing(expression, var('nothing_words')) }}
    {#- `NA` is Namibia -#}
    {%- elif name == 'country' -%} {{ unless_nothing(expression, var('nothing_words') | reject('equalto', 'na') | list) }}
    {%- else -%} {{ expression }}
    {%- endif -%}
{%- endmacro %}

{#- A text, null where it is one of `words` (in lower case). The longer texts, which are none, are not looked up. -#}
{% macro unless_nothing(expression, words) -%}
    case
        when length({{ expression }}) > {{ words | map('length') | max + 4 }} then {{ expression }}
        when lower(trim({{ expression }})) in ({{ text_literals(words) }}) then null
        else {{ expression }}
    end
{%- endmacro %}

{% macro text_literals(words) -%}
    {%- for word in words %}{{ text_literal(word) }}{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}

{#- An e-mail address as a key: lower case, trimmed; null if it is none, or nobody's (`noemail@noemail.com`). -#}
{% macro normalised_email(column) -%}
    {%- set address = 'lower(trim(' ~ column ~ '))' -%}
    case when {{ column }} like '%_@_%' and not {{ matches(address, nobodys_address()) }} then {{ address }} end
{%- endmacro %}

{#- One expression for all of them, as it is tried on every address: a word, a mailbox by its letters alone, or a domain. -#}
{% macro nobodys_address() -%}
    {%- set signs = '[0-9._+-]*' -%}
    {%- set mailboxes = [] -%}
    {%- for mailbox in nobodys_mailboxes() -%} {%- do mailboxes.append(mailbox | list | join(signs)) -%} {%- endfor -%}
    {{- return(
        '^(' ~ any_of(var('nobody_words')) ~ ')@'
        ~ '|^' ~ signs ~ '(' ~ mailboxes | join('|') ~ ')' ~ signs ~ '@'
        ~ '|^[^@]*@(' ~ any_of(nobodys_domains()) ~ '|[^@]*[.]invalid)(@|$)'
    ) -}}
{%- endmacro %}

{#- The domain of an e-mail address. -#}
{% macro email_domain(column) -%}
    case when {{ column }} like '%_@_%' then {{ dbt.split_part('lower(trim(' ~ column ~ '))', "'@'", 2) }} end
{%- endmacro %}

{#- The domain of a web address: no scheme, no www, no path, no port. -#}
{% macro website_domain(column) -%}
    nullif(regexp_replace(regexp_replace(lower(trim({{ column }})), '^([a-z]+://)?(www[.])?', ''), '[/:?#].*$', ''), '')
{%- endmacro %}

{#-
    A domain that says which company someone is from; null for what is none (it has no point, or is an address of an IP),
    for mail providers that anybody can use, and for sites on which anybody has a page.
-#}
{% macro company_domain(domain) -%}
    {%- set nobodys = (
        '[@ ]|^[0-9.]*$'
        ~ '|^(' ~ any_of(free_mail_domains() + nobodys_domains()) ~ ')$'
        ~ '|(^|[.])(' ~ any_of(directory_domains()) ~ ')$'
    ) -%}
    case when {{ domain }} like '%_.__%' and not {{ matches(domain, nobodys) }} then {{ domain }} end
{%- endmacro %}

{#- A handle on a social network as a key: lower case, without the @ or the address of the network before it. -#}
{% macro handle_key(column) -%}
    nullif(regexp_replace(lower(trim({{ column }})), '^(.*/)?@?', ''), '')
{%- endmacro %}

{#- A company's name as a key: lower case, without points, commas and the legal form at its end (`Acme, Inc.` is `acme`). -#}
{% macro company_name_key(column) -%}
    nullif(trim(regexp_replace(
        trim(translate(lower({{ column }}), '.,', '')),
        ' (ab|ag|as|asa|aps|bv|co|company|corp|corporation|gmbh( & co kg)?|inc|incorporated|kg|limited|llc|llp|ltd|nv|oy|oyj|plc|pty ltd|sa|sarl|sas|se|sl|spa|srl|ug)$',
        ''
    )), '')
{%- endmacro %}

{#- A phone number that can be called: it has a digit other than zero. -#}
{% macro phone_number(column) -%}
    case when translate({{ column }}, '123456789', '') <> {{ column }} then {{ column }} end
{%- endmacro %}

{#- Mailboxes, by their letters alone, that are written where nobody's address is known, or that nobody reads. -#}
{% macro nobodys_mailboxes() -%}
    {{ return([
        'anonymous', 'donotreply', 'dummy', 'fake', 'invalid', 'missing', 'nobody', 'noemail', 'noemailaddress', 'noemailprovided',
        'nomail', 'none', 'noreply', 'notavailable', 'notknown', 'notprovided', 'null', 'placeholder', 'test', 'tester',
        'testing', 'undefined', 'unknown'
    ]) }}
{%- endmacro %}

{#- Domains that are written where nobody's is known. -#}
{% macro nobodys_domains() -%}
    {{ return([
        'company.com', 'domain.com', 'dummy.com', 'email.invalid', 'example.com', 'example.net', 'example.org', 'fake.com',
        'invalid.com', 'na.com', 'noemail.com', 'nomail.com', 'none.com', 'noreply.com', 'null.com', 'placeholder.com',
        'test.com', 'test.test', 'undefined.com', 'unknown.com', 'yourcompany.com', 'yourdomain.com'
    ]) }}
{%- endmacro %}

{#- Sites on which a company has a page, not its own. -#}
{% macro directory_domains() -%}
    {{ return([
        'angel.co', 'apple.com', 'bing.com', 'bit.ly', 'clutch.co', 'crunchbase.com', 'facebook.com', 'fb.com', 'g.page', 'g2.com',
        'github.com', 'glassdoor.com', 'goo.gl', 'google.com', 'indeed.com', 'instagram.com', 'kompass.com', 'linkedin.com',
        'linktr.ee', 'lnkd.in', 'maps.app.goo.gl', 'medium.com', 'northdata.de', 'pinterest.com', 'reddit.com', 't.me',
        'tiktok.com', 'trustpilot.com', 'twitter.com', 'vk.com', 'wa.me', 'wellfound.com', 'whatsapp.com', 'wikipedia.org',
        'x.com', 'xing.com', 'yellowpages.com', 'yelp.com', 'youtu.be', 'youtube.com', 'zoominfo.com'
    ]) }}
{%- endmacro %}

{#- Mail providers that anybody can use. -#}
{% macro free_mail_domains() -%}
    {{ return([
        'aol.com', 'bluewin.ch', 'btinternet.com', 'comcast.net', 'duck.com', 'email.com', 'fastmail.com', 'free.fr',
        'freenet.de', 'gmail.com', 'gmx.at', 'gmx.ch', 'gmx.com', 'gmx.de', 'gmx.net', 'googlemail.com', 'hey.com',
        'hotmail.co.uk', 'hotmail.com', 'hotmail.de', 'hotmail.es', 'hotmail.fr', 'hotmail.it', 'hushmail.com',
        'icloud.com', 'inbox.com', 'laposte.net', 'libero.it', 'live.co.uk', 'live.com', 'live.fr', 'live.nl', 'mac.com',
        'mail.com', 'mail.ru', 'me.com', 'msn.com', 'naver.com', 'orange.fr', 'outlook.com', 'outlook.de', 'outlook.fr',
        'pm.me', 'posteo.de', 'proton.me', 'protonmail.com', 'qq.com', 'rediffmail.com', 'rocketmail.com', 'sbcglobal.net',
        'sfr.fr', 't-online.de', 'tutanota.com', 'uol.com.br', 'verizon.net', 'wanadoo.fr', 'web.de', 'yahoo.ca',
        'yahoo.co.in', 'yahoo.co.jp', 'yahoo.co.uk', 'yahoo.com', 'yahoo.com.au', 'yahoo.com.br', 'yahoo.de', 'yahoo.es',
        'yahoo.fr', 'yahoo.in', 'yahoo.it', 'yandex.com', 'yandex.ru', 'ymail.com', 'zoho.com', '126.com', '163.com'
    ]) }}
{%- endmacro %}

{#- A key of another system's record; Salesforce's with its 18 characters, also where nobody says that it is one. -#}
{% macro key_elsewhere(key, system) -%}
    case
        when lower(trim({{ key }})) in ({{ text_literals(var('nobody_words')) }}) or translate(trim({{ key }}), '0', '') in ('', '----') or trim({{ key }}) = '000000000000000AAA' then null
        when
            length(trim({{ key }})) = 15
            and ({{ system }} = 'salesforce' or {{ system }} is null and substring(trim({{ key }}), 1, 3) in ('001', '003', '00Q', '006'))
            then trim({{ key }}){% for first in [1, 6, 11] %} || {{ salesforce_suffix('trim(' ~ key ~ ')', first) }}{% endfor %}
        else nullif(trim({{ key }}), '')
    end
{%- endmacro %}

{#- The letter that says which of five characters of a Salesforce id are capital letters. -#}
{% macro salesforce_suffix(key, first) -%}
    substring(
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345',
        1{% for place in range(5) %} + case when substring({{ key }}, {{ first + place }}, 1) between 'A' and 'Z' then {{ 2 ** place }} else 0 end{% endfor %},
        1
    )
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

{#- The last part of a path or an address, in lower case, without query and slash at the end; null where there is none. -#}
{% macro last_segment(path) -%}
    nullif(regexp_replace(regexp_replace(regexp_replace(lower(trim({{ path }})), '[?#].*$', ''), '/+$', ''), '^.*/', ''), '')
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

{#-
    What a person wrote, without e-mail addresses, phone, card and account numbers (`[email]`, `[number]` ...): whatever
    leaves raw. On DuckDB by `pipelines/values/private_data.py`; elsewhere by patterns, without check digits.
-#}
{% macro masked_text(expression) -%} {{ return(adapter.dispatch('masked_text')(expression)) }} {%- endmacro %}
{% macro duckdb__masked_text(expression) -%} without_private_data({{ expression }}) {%- endmacro %}
{% macro default__masked_text(expression) -%}
    {%- set without_mail = "regexp_replace(" ~ expression ~ ", '[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+', '[email]')" -%}
    {%- set without_iban = "regexp_replace(" ~ without_mail ~ ", '[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{2,4}){3,8}', '[iban]')" -%}
    regexp_replace({{ without_iban }}, '[+(]{0,2}[0-9]([ ()./-]{0,3}[0-9]){6,}', '[number]')
{%- endmacro %}
