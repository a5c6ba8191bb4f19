"""The ledger held against a naive reading of the chain: what is claimed, what is seen, how they differ."""
