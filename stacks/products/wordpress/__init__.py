"""WordPress on MariaDB."""
