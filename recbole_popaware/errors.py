"""The one exception that stands for a mistake of the user, not of the program."""


class UsageError(ValueError):
    """A setting, file or data set that cannot work.

    The message says what was given, what is accepted and what to do; the command line prints it as one
    line and exits with code 2.
    """
