{{ read_core_models() }}
{{ feature_catalogue([
    {'snapshot': ref('account_snapshots'), 'entity': 'account'},
    {'snapshot': ref('lead_snapshots'), 'entity': 'lead', 'parents': {'account': ref('account_snapshots')}},
    {'snapshot': ref('opportunity_snapshots'), 'entity': 'opportunity', 'parents': {'account': ref('account_snapshots')}},
]) }}
