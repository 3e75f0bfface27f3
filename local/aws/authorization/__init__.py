"""Who may do what in the emulated account: the evaluation of requests, and a record of all of them.

`request.py` is one request and its evaluation, used by the emulator and by whoever evaluates a recorded request anew
(tests/iam); `record.py` the file; `services.py` what services do by themselves, in a role or by a resource's policy;
`documented.py` what AWS's documentation demands of a role though nothing shows when it is used.
"""
