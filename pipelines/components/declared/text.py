"""The attributes of a text model's YAML: the texts, their labels, and the published table."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.components.declared.prediction import NAME
from pipelines.database import placed


class PublishedTexts(BaseModel):
    """The published table, and the columns that describe its rows."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    table: str = Field(pattern=NAME)
    """Name in the schema `published`."""
    predicted_as: str = Field("predicted", pattern=NAME)
    """What the label is called there."""
    described_by: str | None = None
    """Core model (or `schema.table`) with one row per text; none: the key alone says which it is."""
    columns: list[str] = Field(default_factory=list)
    """Columns of that model to show beside the key."""
    private: list[str] = Field(default_factory=list)
    """More columns of that model: those with personal data, such as names and handles."""
    show_private: bool = True
    """Whether the published table has the `private` columns; false: no release from then on has them."""
    beside: dict[str, str] = Field(default_factory=dict)
    """Other text models of the same texts → what their label is called here: `complaint_cause: cause`."""

    @property
    def described(self) -> list[str]:
        """The columns that are shown of the model that describes the texts."""
        return [*self.columns, *(self.private if self.show_private else [])]


class Brands(BaseModel):
    """Names of companies that a text may be about, and the words for them."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    competitors: dict[str, list[str]]
    """Name → words that stand for it in a text, besides the name; case does not matter."""
    column: str | None = None
    """Column of `table` that says which brand a text is about, where the export knows."""


class Trends(BaseModel):
    """How these texts are followed from week to week in topic_trends."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    called: str = Field(pattern=NAME)
    """What the texts are called there."""
    by: str | None = None
    """Column of `table` with the author or company: what one of them says often is no trend. None: anybody's."""


class DeclaredText(BaseModel):
    """The attributes of a text model's YAML."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=NAME)
    """What the model is called: `models/<name>`, `scores/<name>`; labels by hand name it, too."""
    description: str
    """One sentence for those who find the model in the UI."""
    table: str
    """Core model (or `schema.table`) with one row per text."""
    key: str
    """Its key column."""
    text: list[str] = Field(min_length=1)
    """Its columns with the text, in the order in which they are read."""
    publish: PublishedTexts | None = None
    """The table that users get; none: other models and tables read what it says."""
    label: str | None = None
    """SQL expression over the table: the label to learn, null where a text has none. Labels by hand
    (core.text_labels) come first."""
    separator: str | None = Field(None, min_length=1)
    """What stands between the labels of a text that has several; none: a text has one label."""
    at: str = "occurred_at"
    """Column of the table with the time of the text."""
    population: str = "true"
    """SQL condition over the table: which texts are learnt from and labelled."""
    only_where: dict[str, str] = Field(default_factory=dict)
    """Other text model of the same texts → its label: only texts that it says this of are labelled."""
    history_days: int = Field(728, ge=1)
    """How far back to learn from."""
    words_days: int = Field(182, ge=0)
    """How far back the words behind a label are published; of older texts, and without a published table, the label
    alone: that takes a third of the time."""
    starts_with: Literal["word_list", "key_phrases"] | None = None
    """What says something until a model is better: a list of English words for moods, or each text's key phrases."""
    trends: Trends | None = None
    """How the labels and words are followed from week to week; none: not at all."""
    brands: Brands | None = None
    """Competitors to look for in the texts."""
    owner: str = "team:data"
    """`team:<name>` or an e-mail address."""

    @property
    def grain(self) -> list[str]:
        """The key of the published table."""
        return [self.key, *([self.publish.predicted_as] if self.separator and self.publish else [])]

    @property
    def texts_table(self) -> tuple[str, str]:
        """Schema and table of the texts."""
        return placed(self.table, "core")

    @property
    def described_by_table(self) -> tuple[str, str] | None:
        """Schema and table that describes a text to users."""
        return placed(self.publish.described_by, "core") if self.publish and self.publish.described_by else None
