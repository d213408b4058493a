{{ link_identifiers('account', ref('account_evidence'), ref('account_matches')) }}
