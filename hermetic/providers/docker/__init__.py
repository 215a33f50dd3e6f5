"""The stand-in for the docker provider plugin, on the Docker Engine API through the docker SDK."""
