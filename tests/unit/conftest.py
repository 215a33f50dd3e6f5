"""Settings of the property tests."""

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the computer is, nothing about the code.
settings.register_profile("flotilla", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flotilla")
