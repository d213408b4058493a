{{ match_identifiers(ref('person_evidence'), ref('person_crowds')) }}
