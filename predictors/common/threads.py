"""`one_thread`: a decorator for methods that compute on small matrices.

More threads are slower there, and change the order of sums and so the last digits: a predictor
would say something else in a process that has them.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]

one_thread = threadpool_limits.wrap(limits=1)
