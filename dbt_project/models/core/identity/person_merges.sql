{{ merge_entities('person', ref('person_links'), ref('person_matches'), ref('person_record_merges')) }}
