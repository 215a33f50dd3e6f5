"""What a command works on: the project around the working directory, its backend, and the chosen stack."""

from dataclasses import dataclass
from pathlib import Path

from hermetic.arguments import Arguments
from hermetic.backend import CheckpointStore, FileBackend, StackName
from hermetic.project import Project, ProjectError, StackConfig, selected_stack
from hermetic.secrets import Crypter


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project and where its stacks lie."""

    project: Project
    backend: FileBackend

    @classmethod
    def open(cls) -> "Workspace":
        """The workspace of the working directory."""
        project = Project.load(Path.cwd())
        backend = FileBackend.from_environment(project_url=project.backend_url, project_folder=project.folder)
        return cls(project, backend)

    def stack(self, arguments: Arguments, *, named: str = "") -> StackName:
        """The stack that a command means: named, by flag, by PULUMI_STACK, or the selected one."""
        text = named or arguments.text("--stack") or selected_stack(self.project)
        if not text:
            raise ProjectError("no stack selected: use --stack NAME, set PULUMI_STACK, or `stack select NAME`")
        return StackName.parse(text, self.project.name)

    def existing_stack(self, arguments: Arguments, *, named: str = "") -> StackName:
        """The same, of a stack that was made."""
        return self.backend.require(self.stack(arguments, named=named))

    def config(self, stack: StackName) -> StackConfig:
        """The stack's settings."""
        return StackConfig.load(self.project, stack.name)

    def store(self, stack: StackName, crypter: Crypter | None) -> CheckpointStore:
        """The stack's checkpoint."""
        return CheckpointStore(self.backend, stack, crypter)
