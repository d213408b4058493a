"""raw_labels.*: what a person says of texts, from which models of texts learn."""

from pipelines.extraction.contracts import Entity, Source

labels = Source(
    name="labels",
    description="What a person says of texts, from which models of texts learn.",
    owner="team:data",
    entities=(
        Entity(
            name="text_label",
            description="A person's label of one text for one model. One row per time that it was labelled.",
            columns={
                "model": "varchar",
                "key": "varchar",
                "label": "varchar",
                "labelled_at": "timestamp",
                "labelled_by": "varchar",
            },
            key=("model", "key"),
            version="labelled_at",
            time="labelled_at",
            required=("labelled_at",),
            left_out={"not labelled yet": "label is null or trim(label) = ''"},
        ),
    ),
)
