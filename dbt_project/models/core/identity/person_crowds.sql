{{ crowded_values(ref('person_evidence')) }}
