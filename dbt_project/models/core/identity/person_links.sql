{{ link_identifiers('person', ref('person_evidence'), ref('person_matches'), hashed=true) }}
