"""How much memory a process has taken: programs that tests start have `PEAK` in front of them.

`ru_maxrss` of a child begins at what its parent held when it was started: in a large test process a
limit would be broken by others, and growth never seen. Linux counts anew in /proc.
"""

from __future__ import annotations

PEAK = '''
def peak(of="VmHWM"):
    """Return the most memory held so far (VmHWM), or that held now (VmRSS), in KB."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(of))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
'''
_names: dict = {}
exec(PEAK, _names)
peak = _names["peak"]
