"""What can go wrong with a job."""


class JobError(Exception):
    """Ends a job with this message, which its owner reads: a translated sentence that says what to do next.

    Raised by handlers for what trying again would not mend. Anything else that a handler raises is a fault:
    the owner reads a fixed sentence with a reference number, and the job is tried again.
    """


class MoveRefusedError(Exception):
    """The job is not in a state in which this can be done. The message can be shown to its owner."""


class LeaseLost(BaseException):
    """Another attempt holds the job now, or nobody may: nothing more may be written for this one.

    A BaseException, so that a handler's `except Exception` cannot swallow it.
    """
