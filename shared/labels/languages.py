"""Which languages count as which."""


def is_of(language: str | None, wanted: str) -> bool:
    """Tell whether a language is the wanted one or a variant of it.

    Args:
        language: A BCP 47 tag; None where it is not known, which is ``und``.
        wanted: A BCP 47 tag; ``pt`` takes ``pt`` and ``pt-BR``, not ``ptx``.

    Source: basic filtering of RFC 4647, section 3.3.1.
    """
    spoken, wanted = (language or "und").lower(), wanted.lower()
    return spoken == wanted or spoken.startswith(wanted + "-")
