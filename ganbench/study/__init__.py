"""Design, ledger, workers, statistics."""
