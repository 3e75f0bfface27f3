"""The emulated AWS account of the local stack: ministack, made honest by the patches in this package.

`server.start(settings)` runs it as a subprocess. `patches/` replaces what the pinned ministack leaves out; `glue/` runs
job scripts, `states/` runs state machines.
"""
