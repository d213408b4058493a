with submissions as (
    {{ raw_columns(source('raw_hubspot', 'form_submission'), {
        'form_submission_id': ['conversionId', 'string'],
        'form_id': ['formId', 'string'],
        'form_title': ['formTitle', 'string'],
        'page_url': ['pageUrl', 'string'],
        'email': ['email', 'string'],
        'anonymous_id': ['visitorId', 'string'],
        'occurred_at': ['submittedAt', 'epoch_ms'],
        'known_at': ['submittedAt', 'epoch_ms'],
    }) }}
)
select * from submissions
