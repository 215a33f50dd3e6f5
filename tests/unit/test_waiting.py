"""The tests' own way to wait: it gives what it waited for, bears an early answer, and ends with the reason."""

from collections.abc import Callable, Iterator

import docker.errors
import pytest

from tests.waiting import NOT_YET, wait_for


def _answers(*answers: object) -> Callable[[], object]:
    given: Iterator[object] = iter(answers)

    def ask() -> object:
        answer = next(given)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def test_what_was_waited_for_is_given() -> None:
    assert wait_for("a word", _answers("", None, "word")) == "word"


@pytest.mark.parametrize("kind", NOT_YET)
def test_an_answer_that_comes_too_early_is_asked_for_again(kind: type[Exception]) -> None:
    assert wait_for("a word", _answers(kind("too early"), "word")) == "word"


def test_the_deadline_says_what_was_waited_for_and_how_it_failed_last() -> None:
    with pytest.raises(AssertionError, match=r"^a word, not silence: not within 0 s$") as error:
        wait_for(lambda: "a word, not silence", _answers(ConnectionRefusedError("nobody there")), seconds=0)
    assert isinstance(error.value.__cause__, ConnectionRefusedError)


@pytest.mark.parametrize("error", [docker.errors.NotFound("no such container"), TypeError("a mistake of the test")])
def test_what_no_time_mends_ends_the_wait(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        wait_for("a word", _answers(error, "word"))
