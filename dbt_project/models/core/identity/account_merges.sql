{{ merge_entities('account', ref('account_links'), ref('account_matches'), ref('account_record_merges')) }}
