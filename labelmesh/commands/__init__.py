"""The commands of ``labelmesh``, by what they are about."""
