{{ match_identifiers(ref('account_evidence')) }}
