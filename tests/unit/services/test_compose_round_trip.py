"""Typed values to a file and back are the same values, whatever they are."""

from hypothesis import HealthCheck, given, settings

from components.services.compose.model import ComposeFile
from components.services.compose.read import read_compose
from components.services.compose.write import write_compose
from tests.unit.services.compose_values import files


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files())
def test_a_file_that_was_written_is_read_as_the_same_values(file: ComposeFile) -> None:
    assert read_compose(write_compose(file)).file == file
