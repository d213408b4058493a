{{ match_identifiers(ref('person_evidence')) }}
