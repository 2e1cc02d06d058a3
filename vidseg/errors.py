"""The one exception that means "the user can mend this".

Its message is all that a person sees: one or two lines that name the key or the file, the value it had, what is
allowed and what to do. Anything else that is raised is a defect of vidseg (or of the machine) and is reported with
its type; its traceback goes to the run's log either way.
"""


class InputError(ValueError):
    """A value, a file or a device that the user chose can't be used."""
