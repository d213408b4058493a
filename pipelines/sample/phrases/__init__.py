"""The sample company's words: templates in English and German, by what a text is about and in which mood."""
