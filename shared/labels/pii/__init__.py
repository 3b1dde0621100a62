"""Personal data in texts: what is told by its form, and in most cases by its checksum; names and addresses are not.

``shared.labels.pii.screening`` applies a project's policy to a sample. What each kind rests on, and how often it errs,
stands in ``docs/guides/personal-data.md``.
"""
