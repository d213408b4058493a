{{ read_core_models() }}
{{ feature_catalogue() }}
