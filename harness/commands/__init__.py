"""The commands of ``harness``, one module each: ``add`` declares it, ``run`` carries it out."""
