{{ crowded_values(ref('account_evidence')) }}
