"""The one error of the plan: a line that names the field, the value and the fix, so that the user can act on it."""


class PlanError(ValueError):
    """A value that cannot work.

    Without a `field` the message holds problem and fix alone, for a caller who names the field and the value itself.
    """

    def __init__(self, *, field: str, value: object, problem: str, fix: str) -> None:
        subject = f"{field} is {_shown(value)}: " if field else ""
        super().__init__(f"{subject}{problem}; {fix}")


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)
