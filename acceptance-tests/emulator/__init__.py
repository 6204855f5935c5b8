"""The AWS emulator of the rig: moto, extended in its own process. See ../README.md."""
