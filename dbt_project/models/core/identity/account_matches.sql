{{ match_identifiers(ref('account_evidence'), ref('account_crowds')) }}
