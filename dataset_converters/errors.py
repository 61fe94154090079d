"""The one exception that the command line turns into a line of text."""


class ConversionError(Exception):
    """A mistake in the input or the options; its text is the whole message that the user sees."""
