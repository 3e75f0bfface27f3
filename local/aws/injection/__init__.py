"""Faults of the emulated AWS: a test sets rules at run time, and requests that match go wrong in the way they say.

`rules.py` is what a rule is and how it matches; `effects.py` what it does to a request; `client.py` how a test sets it.
"""
