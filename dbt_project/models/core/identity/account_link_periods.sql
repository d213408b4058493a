{{ link_periods('account', ref('account_links'), ref('account_merges')) }}
