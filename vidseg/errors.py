"""The exception that means "the user can mend this"; any other is a defect of vidseg or of the machine.

Its message is all that a person sees: one or two lines with the key or the file, the value it had, what is allowed and
what to do. The traceback goes to the run's log.
"""


class InputError(ValueError):
    """A value, a file or a device that the user chose can't be used."""


class ContractError(InputError):
    """A class (a segmenter, an output, a metric) breaks a rule of vidseg.types; the message says which rule."""
