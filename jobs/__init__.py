"""One row per piece of work: states, leases, fairness, progress, cancel, receipts."""
