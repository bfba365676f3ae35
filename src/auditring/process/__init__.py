"""What a process has once: its forks, threads that nothing patches, its finalizers.

`afterfork` begins anew in a child, `exits` says in which order things end, `signals`
adds to a signal's handler. `_nativethread` starts threads that no greenlet
library replaces, `_cooperativelock` and `cooperation` wait without holding greenlets
up. `reaper` closes what was dropped; `known` finds what is open here.
"""
