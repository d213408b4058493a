{{ link_periods('person', ref('person_links'), ref('person_merges')) }}
