"""An engine for the Pulumi program where the Pulumi CLI cannot be had: same words, same state, same plugin protocol."""
